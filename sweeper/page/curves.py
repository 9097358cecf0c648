"""Learning curves as charts: of all trials together, and of one trial by its metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sweeper.page.figure import Figure, axes, scatter
from sweeper.page.page import Chart
from sweeper.page.seen import Seen
from sweeper.records.record import Trial

POINTS = 20_000  # of all trials together; of more every second, third, … epoch is drawn
EACH = 10  # epochs, up to which each one is named


def of_all(seen: Seen) -> Chart:
    """What each trial reported by epoch, the best one in front."""
    trials = [trial for trial in seen.sweep.trials if trial.curve]
    step = max(math.ceil(sum(len(trial.curve) for trial in trials) / POINTS), 1)
    data = [
        _together(name, group, step) | {"line": {"color": colour, "width": width}, "opacity": opacity}
        for name, group, colour, width, opacity in (
            ("others", _in(trials, but=("FINISHED", "PRUNED")), "var(--yellow)", 1, 0.7),
            ("pruned", _in(trials, "PRUNED"), "var(--faint)", 1, 1),
            ("finished", _in(trials, "FINISHED"), "var(--accent)", 1, 0.5),
            ("the best", [trial for trial in trials if trial is seen.best], "var(--best)", 2.5, 1),
        )
        if group
    ]
    figure = {"data": data, "layout": _axes(seen.reported, trials)}
    return Chart(f"{seen.reported} of each trial after each epoch", figure, height=360)


def of_one(trial: Trial) -> list[Chart]:
    """A metric each, training and validation together."""
    names = dict.fromkeys(name.removeprefix("val_") for _, _, metrics in trial.curve for name in metrics)
    return [_metric(trial, name) for name in names]


def _in(trials: Sequence[Trial], *states: str, but: Sequence[str] = ()) -> list[Trial]:
    return [trial for trial in trials if (trial.state in states if states else trial.state not in but)]


def _together(name: str, trials: Sequence[Trial], step: int) -> Figure:
    """One trace, for Plotly takes long for a thousand of them. Gaps part the trials."""
    x, y, numbers = [], [], []
    for trial in trials:
        kept = (*trial.curve[:-1:step], trial.curve[-1])
        x += [*(epoch for epoch, _, _ in kept), None]
        y += [*(value for _, value, _ in kept), None]
        numbers += [trial.number] * (len(kept) + 1)
    mode = "lines" if any(len(trial.curve) > 1 for trial in trials) else "markers"
    return scatter(name, x, y, numbers, "trial %{customdata}, epoch %{x}: %{y}", mode=mode)


def _metric(trial: Trial, name: str) -> Chart:
    traces = []
    for kind, metric, colour in (("training", name, "var(--dim)"), ("validation", f"val_{name}", "var(--accent)")):
        points = [(epoch, metrics[metric]) for epoch, _, metrics in trial.curve if metric in metrics]
        if points:
            x, y = zip(*points, strict=True)
            style = {"mode": "lines+markers", "marker": {"color": colour, "size": 4}, "line": {"color": colour}}
            traces.append(scatter(kind, x, y, **style))
    layout = _axes(name.replace("_", " "), [trial]) | {"showlegend": len(traces) > 1}
    return Chart(f"{name} by epoch", {"data": traces, "layout": layout}, height=260)


def _axes(metric: str, trials: Sequence[Trial]) -> Figure:
    """There is no half an epoch."""
    layout = axes("epoch", metric)
    if max(trial.curve[-1][0] for trial in trials) <= EACH:
        layout["xaxis"]["dtick"] = 1
    return layout
