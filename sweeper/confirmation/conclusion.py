"""The end of a confirmation: its files in `confirm` of the sweep's folder, and its table on the screen."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweeper import drawing, text
from sweeper.config import command
from sweeper.confirmation import picture, verdict
from sweeper.confirmation.confidence import LEVEL, Estimate
from sweeper.confirmation.verdict import Row, Verdict
from sweeper.records import record, sweeps
from sweeper.records.record import Sweep, Trial
from sweeper.search.retrainings import SEED
from sweeper.training import objectives

GAP = 2  # spaces between columns
FIELDS = (  # of a candidate's line, when piped
    "rank",
    "trial",
    "metric",
    "mean",
    "low",
    "high",
    "searched",
    "validated",
    "behind",
    "p",
    "finished",
    "trainings",
    "parameters",
    "params",
)


def write(found: Verdict) -> None:
    """confirmation.csv has a line a training, confirmation.yaml what they come to, confirmation.png a picture of it."""
    base = found.anew.folder / record.CONFIRMATION
    rows = [_training(found, row, training) for row in found.rows for training in row.trainings]
    with open(base.with_suffix(".csv"), "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(column for line in rows for column in line)))
        writer.writeheader()
        writer.writerows(rows)
    told = yaml.safe_dump(_told(found), sort_keys=False, allow_unicode=True)
    base.with_suffix(".yaml").write_text(told, encoding="utf-8")
    if found.ranked:
        _draw(found)


def show(found: Verdict, console: Console) -> None:
    """A table that fits the terminal; when piped, a candidate a line, tab-separated, and the sentences on stderr."""
    if not console.is_terminal:
        print(*FIELDS, *found.others, sep="\t")
        for line in _lines(found):
            print(*(text.printable(str("" if cell is None else cell)) for cell in line), sep="\t")
        console = Console(stderr=True, highlight=False)
    else:
        console.print()
        console.print(Text(text.printable(_title(found)), style="bold"))
        console.print(_table(found, console.width))
        console.print(Text(_legend(found), style="dim"))
    console.print()
    for sentence in verdict.sentences(found):
        console.print(Text(text.printable(sentence)), soft_wrap=not console.is_terminal)
    console.print(Text(f"Written to {found.anew.folder}. Next:"), soft_wrap=True)
    for line in _next_commands(found):
        console.print(Text(text.printable(f"  {line}")), soft_wrap=True)


def _title(found: Verdict) -> str:
    better = "higher" if found.direction == "maximize" else "lower"
    trials = text.count(len(found.rows), "trial")
    return f"{found.sweep.id}: {trials}, {len(found.seeds)} fresh seeds, {found.metric} ({better} is better)"


def _legend(found: Verdict) -> str:
    tested = f"fresh: its mean with fresh seeds; test: mean {found.metric}"
    means = tested if found.tested else "mean: with fresh seeds"
    return f"search: {found.objective} in the search; {means}; p: against the first, corrected by Holm"


def _table(found: Verdict, width: int) -> Table:
    """width: characters of the terminal; the parameters are cut short to what is left of them."""
    means = ("fresh", "test") if found.tested else ("mean",)
    titles = ["", "trial", "search", *means, f"± {LEVEL:.0%}", "p", *found.others, "seeds", "size"]
    lines = [_cells(found, place, row) for place, row in enumerate(found.rows, start=1)]
    taken = sum(max(map(len, column)) + GAP for column in zip(titles, *lines, strict=True))
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("params", no_wrap=True, overflow="ellipsis", max_width=max(len("params"), width - taken))
    for row, line in zip(found.rows, lines, strict=True):
        table.add_row(*map(Text, (*line, text.printable(text.params(row.trial.params)))))
    return table


def _cells(found: Verdict, place: int, row: Row) -> list[str]:
    """Of a line, as `_table` shows it."""
    means = (row.validated, row.estimate) if found.tested else (row.estimate,)
    return [
        str(place) if row.estimate else "-",
        str(row.trial.number),
        text.value(row.searched),
        *(text.value(mean.mean) if mean else "-" for mean in means),
        text.value(row.estimate.margin) if row.estimate else "-",
        "" if row.p is None else "< 0.001" if row.p < 0.001 else f"{row.p:.2g}",
        *("-" if mean is None else text.value(mean) for mean in row.others),
        str(len(row.judged)),
        text.size(row.parameters) if isinstance(row.parameters, int) else "",
    ]


def _lines(found: Verdict) -> Iterator[tuple[Any, ...]]:
    for place, row in enumerate(found.rows, start=1):
        mean = row.estimate
        yield (
            place if mean else None,
            row.trial.number,
            found.metric,
            *((mean.mean, mean.low, mean.high) if mean else (None,) * 3),
            row.searched,
            row.validated and row.validated.mean,
            row.behind and row.behind.difference.mean,
            row.p,
            len(row.judged),
            len(row.trainings),
            row.parameters,
            " ".join(f"{key}={value}" for key, value in row.trial.params.items()),
            *row.others,
        )


def _training(found: Verdict, row: Row, training: Trial) -> dict[str, Any]:
    names = objectives.split(found.sweep.started.metric, len(found.sweep.started.directions))
    tests = {key: fact for key, fact in training.facts.items() if key.startswith("test_")}
    return (
        {"trial": row.trial.number, "seed": training.params.get(SEED), "training": training.number}
        | {"state": training.state, f"searched.{found.objective}": row.searched}
        | dict(zip(names, training.values or (None,) * len(names), strict=True))
        | tests
        | {f"params.{key}": choice for key, choice in row.trial.params.items()}
        | {"seconds": training.seconds, "run_id": training.run_id, "reason": training.reason}
        | {"command": training.command, "folder": training.folder}
    )


def _told(found: Verdict) -> dict[str, Any]:
    return {
        "sweep": found.sweep.id,
        "metric": found.metric,
        "direction": found.direction,
        "seeds": found.seeds,
        "winner": found.ranked[0].trial.number if found.ranked else None,
        "significant": found.significant,
        "candidates": [
            {
                "trial": row.trial.number,
                "params": dict(row.trial.params),
                f"searched {found.objective}": row.searched,
                f"fresh {found.objective}": _plain(row.validated),
                found.metric: _plain(row.estimate),
                "by seed": row.judged,
                **{f"mean {name}": mean for name, mean in zip(found.others, row.others, strict=True)},
                "behind": _plain(row.behind.difference) if row.behind else None,
                "p": row.p,
            }
            for row in found.rows
        ],
        "summary": list(verdict.sentences(found)),
    }


def _plain(mean: Estimate | None) -> dict[str, float] | None:
    return mean and {"mean": mean.mean, "low": mean.low, "high": mean.high, "count": mean.count}


def _draw(found: Verdict) -> None:
    drawing.save(picture.draw(found), found.anew.folder / f"{record.CONFIRMATION}.png")


def _exporting(found: Verdict, sweep: Sweep, trial: Trial) -> str:
    return command.exporting(f"{sweeps.name(sweep.folder)}/{trial.number}", found.sweep.started.allow)


def _next_commands(found: Verdict) -> list[str]:
    commands = []
    if found.ranked:
        winner = found.ranked[0]
        kept = [training for training in winner.trainings if training.model.exists()]
        if winner.trial.model.exists():
            commands.append(_exporting(found, found.sweep, winner.trial))
        elif kept:
            commands.append(_exporting(found, found.anew, kept[0]))
        else:
            commands.append(winner.trial.command)
    if found.anew.run_id:
        commands.append(f"python -m sweeper ui --sweep {sweeps.name(found.sweep.folder)}")
    return commands
