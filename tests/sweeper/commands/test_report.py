"""The page of a report without a browser: what stands in it, and that nothing of a stranger's becomes markup."""

import argparse
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.commands import report
from sweeper.errors import ConfigError
from sweeper.page import page, seen
from sweeper.records.events import EpochReported, SweepStarted, TrialEnded, TrialStarted
from sweeper.records.journal import Journal
from sweeper.records.record import read

from ..searched import meet_test_images, write


class Parsed(HTMLParser):
    """Its elements with the names of their attributes, its text, its scripts, and the sections by ID."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.data, self.words, self.sections, self.addresses = [], [], "", {}, []
        self.colours = {}  # by the words that have them
        self._colour = None
        self._open = None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, sorted(name for name, _ in attributes)))
        self._open = tag
        known = dict(attributes)
        self._colour = re.search(r"--colour: var\((.+?)\)", known.get("style") or "")
        if self._colour and known.get("title"):
            self._coloured(known["title"])
        if tag == "script" and known.get("type") == "application/json":
            self._open = "data"
        if tag == "section":
            self.sections[known["id"]] = ""
        self.addresses += [value for name, value in attributes if name in ("src", "href", "action")]

    def _coloured(self, words):
        words = words.strip().lstrip("0123456789, ")
        self.colours.setdefault(words, set()).add(self._colour.group(1))

    def handle_data(self, data):
        if self._colour:
            self._coloured(data)
        if self._open == "data":
            self.data.append(json.loads(data))
        elif self._open not in ("script", "style"):
            self.words += data
            if self.sections:
                self.sections[list(self.sections)[-1]] += data

    def handle_endtag(self, tag):
        self._open = self._colour = None


def made(folder):
    return Parsed(report.html(seen.look(folder)))


def run(*arguments):
    parser = argparse.ArgumentParser()
    report.add_arguments(parser)
    return report.run(parser.parse_args(arguments))


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The page of a sweep with trials of every kind."""
    folder = write(tmp_path_factory.mktemp("multirun") / "monday", 40, misses=True, tested=True)
    best = read(folder).best
    meet_test_images(best.folder)
    return made(folder)


def test_a_search_has_every_section_but_the_front_of_several_objectives(searched):
    assert list(searched.sections) == [
        "leaderboard",
        "history",
        "importance",
        "parallel",
        "slices",
        "curves",
        "network",
        "failures",
        "reproduce",
    ]


def heat_maps(found):
    return [
        chart for chart in found.data if isinstance(chart.get("data"), list) and chart["data"][0]["type"] == "heatmap"
    ]


def test_networks_of_many_sizes_have_the_best_of_each(tmp_path):
    folder = write(tmp_path / "sized", 40, sized=True)
    found = made(folder)
    assert list(found.sections)[1:3] == ["history", "sizes"]
    assert "python -m sweeper verify --sweep" in found.sections["sizes"]
    trained, expected = heat_maps(found)
    trials = {trial.number: trial for trial in read(folder).finished}
    cells = [
        (number, value)
        for numbers, values in zip(trained["data"][0]["customdata"], trained["data"][0]["z"], strict=True)
        for number, value in zip(numbers, values, strict=True)
        if number is not None
    ]
    assert len(cells) >= 4
    assert all(trials[number].values[0] == pytest.approx(value, rel=1e-6) for number, value in cells)
    assert any(number == read(folder).best.number for number, _ in cells)
    for chart in (trained, expected):
        layout, trace = chart["layout"], chart["data"][0]
        assert (layout["xaxis"]["title"]["text"], layout["yaxis"]["title"]["text"]) == (
            "parameters",
            "mflops (millions an image)",
        )
        assert trace["colorbar"]["title"]["text"] == "val_accuracy"
        assert layout["xaxis"]["ticktext"] == ["10k", "100k"]
    assert trained["data"][0]["zmax"] == expected["data"][0]["zmax"]
    assert "customdata" not in expected["data"][0]
    words = [words for row in expected["data"][0]["hovertext"] for words in row if words]
    assert all("expected<br>parameters" in hover and "lr=" in hover for hover in words)


@pytest.mark.parametrize(
    ("trials", "keys"), [(9, {}), (40, {"directions": ("maximize", "minimize"), "metric": "val_accuracy,val_loss"})]
)
def test_of_few_networks_and_of_several_objectives_there_is_no_best_of_each_size(trials, keys, tmp_path):
    assert "sizes" not in made(write(tmp_path / "few", trials, sized=True, **keys)).sections


def test_of_networks_of_one_size_there_is_no_best_of_each(tmp_path):
    assert "sizes" not in made(write(tmp_path / "alike", 40)).sections


def test_the_page_asks_for_nothing_from_elsewhere(searched):
    assert {address[:5] for address in searched.addresses if not address.startswith("#")} == {"data:"}


def test_the_leaderboard_has_a_line_a_trial_and_says_why_one_failed(searched):
    assert sum(tag == "tr" and "data-trial" in names for tag, names in searched.elements) == 40
    details = searched.data[-1]
    assert len(details) == 40
    assert details["9"]["command"] == "python -m sweeper trial=9"
    lines = dict(details["9"]["lines"])
    assert lines["reason"] == "why trial 1 is diverged\nand more of it"
    assert {"model", "hparams.lr", "trainer.batch_size", "folder"} <= lines.keys()


def test_failures_are_counted_by_reason_with_their_trials(searched):
    assert "why trial 1 is diverged" in searched.sections["failures"]
    assert "9, 19, 29, 39" in searched.sections["failures"]
    assert "misses parameters <= 3 by 2" in searched.sections["failures"]


def test_the_commands_repeat_the_sweep_and_its_best_trial(searched):
    commands = searched.sections["reproduce"]
    assert "python -m sweeper -m model=custom,alexnet hparams=search" in commands
    assert "python -m sweeper trial=" in commands
    assert "python -m sweeper leaderboard --sweep " in commands
    assert "resume" not in commands
    assert "c0ffee" in commands


def test_a_slice_for_each_parameter_of_optunas_with_the_logarithm_that_was_searched(searched):
    slices = [
        figure["layout"]["xaxis"]
        for figure in searched.data
        if "data" in figure and "colorscale" in figure["data"][-1].get("marker", {})
    ]
    assert {axis["title"]["text"]: axis.get("type") for axis in slices} == {
        "model": "category",
        "lr": "log",
        "batch_size": "category",
        "width@custom": None,
    }
    assert next(axis["categoryarray"] for axis in slices if axis["title"]["text"] == "model") == ["custom", "alexnet"]


def test_a_slice_has_every_finished_trial_that_has_the_parameter(searched):
    counts = {
        figure["layout"]["xaxis"]["title"]["text"]: [len(trace["x"]) for trace in figure["data"]]
        for figure in searched.data
        if "data" in figure and "colorscale" in figure["data"][-1].get("marker", {})
    }
    assert (
        counts["model"] == counts["lr"] == counts["batch_size"] == [8, 16]
    )  # those that miss a constraint, and the others
    assert sum(counts["width@custom"]) < 24


def test_parallel_coordinates_keep_trials_that_lack_a_parameter(searched):
    (figure,) = (figure for figure in searched.data if "axes" in figure)
    assert [axis["label"] for axis in figure["axes"]] == ["model", "lr", "batch_size", "width", "val_accuracy"]
    assert [axis["gaps"] for axis in figure["axes"]] == [False, False, False, True, False]
    assert len(figure["lines"]) == 24
    for line in figure["lines"]:
        model, width = line["places"][0], line["places"][3]
        assert (model == 1.0) == (width is None)
        assert all(0 <= place <= 1 for place in line["places"] if place is not None)
    assert [line["share"] for line in figure["lines"]] == sorted(line["share"] for line in figure["lines"])


def test_pictures_of_the_best_network_are_in_the_page(searched):
    assert sum(address.startswith("data:image/png;base64,iVBORw0KGgo") for address in searched.addresses) == 3
    assert "297 test images" in searched.sections["network"]
    assert "test accuracy 0.9700" in searched.sections["network"]


def test_what_is_no_picture_of_the_trial_stays_out(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"\x89PNG\r\n\x1a\n of somebody else")
    folder = write(tmp_path / "monday", 3)
    best = read(folder).best.folder
    meet_test_images(best, b"root:x:0:0")
    (best / "pictures" / "confusion.png").unlink()
    (best / "pictures" / "confusion.png").symlink_to(secret)
    found = made(folder)
    assert not any(address.startswith("data:image") for address in found.addresses)
    assert "zero" in found.sections["network"]
    assert "99.0%" in found.sections["network"]


def test_several_objectives_have_a_front_and_a_panel_each(tmp_path):
    directions = ("maximize", "minimize")
    found = made(write(tmp_path / "both", 30, directions=directions, metric="val_accuracy,mflops"))
    assert list(found.sections)[:3] == ["leaderboard", "history", "front"]
    assert "val_accuracy" in found.sections["slices"]
    assert "mflops" in found.sections["slices"]
    assert sum(tag == "details" for tag, _ in found.elements) == 4 * 2 + 1
    titles = [figure["layout"]["xaxis"]["title"]["text"] for figure in found.data if "data" in figure]
    assert "mflops (less is better)" in titles


def test_three_objectives_have_a_front_for_each_two_of_them(tmp_path):
    found = made(write(tmp_path / "three", 12, directions=("maximize",) * 3, metric="a,b,c"))
    titles = [figure["layout"]["yaxis"]["title"]["text"] for figure in found.data if "data" in figure]
    assert [title for title in titles if "is better" in title] == [
        "a (more is better)",
        "a (more is better)",
        "b (more is better)",
    ]


@pytest.mark.parametrize("finished", [1, 9])
def test_of_few_finished_trials_the_importance_is_not_told(write_sweep, finished):
    found = made(write_sweep("few", *[("FINISHED", 0.5 + 0.01 * number) for number in range(finished)]))
    assert f"{finished} finished: to tell what matters takes 10" in found.sections["importance"]
    assert any("axes" in figure for figure in found.data) == (finished > 1)


@pytest.mark.parametrize("outcomes", [[], [("FAILED",), ("PRUNED", 0.5)]])
def test_without_a_finished_trial_the_page_says_what_it_cannot_show(write_sweep, outcomes):
    found = made(write_sweep("bad", *outcomes))
    assert "leaderboard" in found.sections
    if outcomes:
        assert "No trial has finished: 1 pruned, 1 failed." in found.sections["history"]
        assert not {"importance", "parallel", "slices"} & found.sections.keys()  # they would say it again
    else:
        assert "No trial has begun." in found.sections["leaderboard"]
    assert "No trial has finished." in found.sections["network"]


def test_a_single_training_has_the_sections_that_make_sense(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("outputs/alone")
    journal = Journal(folder)
    journal.write(SweepStarted("alone", "python -m sweeper", "val_accuracy", ("maximize",), 1, None, 1e9))
    journal.write(TrialStarted(0, 0, {}, "python -m sweeper", ".", 1e9))
    journal.write(EpochReported(0, 1, 0.5, {"loss": 2.0, "val_loss": 2.5}, 1e9))
    journal.close()
    found = made(folder)
    assert list(found.sections) == ["leaderboard", "curves", "network", "reproduce"]
    assert "python -m sweeper hydra.run.dir=outputs/alone" in found.sections["reproduce"]
    assert "was lost before the end" in found.words


def test_a_sweep_that_runs_is_told_from_one_that_was_killed(tmp_path):
    folder = write(tmp_path / "open", 12, ended=False)
    killed = made(folder)
    assert "was lost before the end" in killed.words
    assert "hydra.sweeper.resume=" in killed.sections["reproduce"]
    holding = Journal(folder)
    try:
        running = made(folder)
    finally:
        holding.close()
    assert "The sweep runs: 1 of its trials is open." in running.words
    assert "hydra.sweeper.resume=" not in running.sections["reproduce"]


def test_a_sweep_whose_trials_have_all_ended_says_that_it_still_runs(tmp_path):
    folder = write(tmp_path / "closing", 12)
    holding = Journal(folder)
    try:
        words = made(folder).words
    finally:
        holding.close()
    assert "The sweep runs: all of its trials have ended, but not what follows them" in words


def test_a_sweep_without_parameters_has_a_history_and_no_section_of_parameters(tmp_path):
    folder = tmp_path / "seeds"
    journal = Journal(folder)
    journal.write(SweepStarted("seeds", "", "value", ("maximize",), 3, None, 1e9))
    for number in range(3):
        journal.write(TrialStarted(number, 0, {}, "", str(number), 1e9))
        journal.write(TrialEnded(number, "FINISHED", (0.1 * number,), None, {}, 1e9))
    journal.close()
    found = made(folder)
    assert not {"importance", "parallel", "slices"} & found.sections.keys()
    assert any("value" in figure["layout"]["yaxis"]["title"]["text"] for figure in found.data if "data" in figure)


def test_what_misses_a_constraint_has_not_the_colour_of_what_finished(searched):
    """In the bar, the legend, the leaderboard and the failures."""
    assert searched.colours["finished"] == {"--green"}
    assert searched.colours["infeasible"] == {"--yellow"}


def test_a_long_name_leaves_room_for_the_bars_of_importance(tmp_path):
    name = "a_name_of_a_parameter_that_goes_on_and_on_<b>"
    found = made(named(tmp_path / "long", name))
    axes = [figure["layout"]["yaxis"] for figure in found.data if "data" in figure]
    (bars,) = (axis["ticktext"] for axis in axes if "ticktext" in axis)
    assert bars == ["a_name_of_a_parameter_t…"] * 2
    (parallel,) = (figure for figure in found.data if "axes" in figure)
    assert all(len(axis["label"]) <= 24 for axis in parallel["axes"])


@pytest.mark.parametrize("damage", [None, b"{{{\n{}\n", b""])
def test_without_optunas_journal_ranges_are_those_of_the_values(tmp_path, damage):
    folder = write(tmp_path / "monday", 20)
    (folder / "study.journal").unlink()
    if damage is not None:
        (folder / "study.journal").write_bytes(damage)
    found = made(folder)
    axes = {
        figure["layout"]["xaxis"]["title"]["text"]: figure["layout"]["xaxis"]
        for figure in found.data
        if "data" in figure
    }
    assert axes["lr"]["type"] == "log"
    assert axes["model"]["type"] == "category"
    assert (folder / "study.journal").exists() == (damage is not None)


def test_credentials_of_a_strangers_folder_stay_out(write_sweep):
    folder = write_sweep("leak", ("FAILED",), reason="cannot reach http://me:abc@host/?token=abc")
    journal = folder / "trials.jsonl"  # as if a program without our care had written it
    journal.write_text(
        journal.read_text().replace("***", "me:hunter2").replace("train 0", "go mysql://me:hunter3@db/x")
    )
    html = report.html(seen.look(folder))
    assert "http://***@host" in html
    assert "hunter" not in html


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
MARKUP = st.sampled_from(
    [
        "<script>alert(1)</script>",
        "</script><b>",
        "\"><img src=x onerror='alert(1)'>",
        "<!--",
        "{{ 7 * 7 }}",
        "]]>",
        "&lt;",
    ]
)


def named(folder, words):
    """A sweep in which everything that is a text is `words`."""
    journal = Journal(folder)
    journal.write(SweepStarted(words, words, words, ("maximize",), 12, words, 1e9, {"model": words, "dataset": words}))
    for number in range(12):
        params = {f"{words}1": 0.1 * number, f"{words}2": words}
        journal.write(TrialStarted(number, 0, params, words, str(number), 1e9))
        journal.write(EpochReported(number, 1, 0.5, {words: 1.0}, 1e9))
        state = "FAILED" if number == 11 else "FINISHED"
        values = None if number == 11 else (0.1 * number,)
        missed = {words: 1.0} if number == 10 else {}
        journal.write(TrialEnded(number, state, values, words, {words: words, "epochs": 1}, 1e9 + 1, missed))
    journal.close()
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return made(named(tmp_path_factory.mktemp("sweeps") / "plain", "plain"))


@settings(max_examples=25, deadline=None)
@given(words=TEXT | MARKUP)
def test_no_text_of_a_sweep_becomes_markup(plain, tmp_path_factory, words):
    found = made(named(tmp_path_factory.mktemp("sweep") / "drawn", words))
    assert found.elements == plain.elements
    figures = [figure for figure in found.data if "data" in figure]
    assert figures
    for figure in figures:
        labels = (figure["layout"].get(axis, {}).get("title", {}).get("text", "") for axis in ("xaxis", "yaxis"))
        assert not any("<" in label for label in labels)


SCALARS = st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats() | TEXT


@settings(max_examples=25, deadline=None)
@given(trials=st.lists(st.tuples(SCALARS | st.floats(1e-300, 1e300), SCALARS, st.floats()), min_size=12, max_size=12))
def test_any_values_of_a_sweep_make_a_page(tmp_path_factory, trials):
    folder = tmp_path_factory.mktemp("sweep") / "drawn"
    journal = Journal(folder)
    journal.write(SweepStarted("drawn", "", "value", ("minimize",), 12, None, 1e9))
    for number, (first, second, value) in enumerate(trials):
        journal.write(TrialStarted(number, 0, {"a": first, "b": second}, "", str(number), 1e9))
        journal.write(EpochReported(number, 1, value, {"loss": value}, 1e9))
        journal.write(TrialEnded(number, "FINISHED", (value,), None, {"epochs": first, "parameters": second}, 1e9))
    journal.close()
    assert len(made(folder).data[-1]) == 12


def test_the_page_lies_in_the_sweeps_folder_unless_another_place_is_given(write_sweep, capsys):
    folder = write_sweep("monday", ("FINISHED", 0.7))
    assert run() == 0
    assert f"1 trial of monday -> {folder / report.NAME}" in capsys.readouterr().out
    assert run("--sweep", "monday", "--out", "other.html") == 0
    assert page.MARK in Path("other.html").read_text()[:2000]
    assert run("--out", "other.html") == 0


def test_only_a_report_is_written_over(write_sweep, tmp_path):
    write_sweep("monday", ("FINISHED", 0.7))
    Path("thesis.html").write_text("three years of work")
    Path("link.html").symlink_to(tmp_path / "elsewhere.html")
    for out in ("thesis.html", "link.html", ".", "missing/report.html"):
        with pytest.raises(ConfigError, match="--out"):
            run("--out", out)
    assert Path("thesis.html").read_text() == "three years of work"
    assert not Path("elsewhere.html").exists()


def test_a_folder_is_no_place_for_a_page(write_sweep, tmp_path):
    write_sweep("monday", ("FINISHED", 0.7))
    with pytest.raises(
        ConfigError, match=f"--out {tmp_path} is a folder. Give a file in it: --out {tmp_path}/report.html"
    ):
        run("--out", str(tmp_path))


def test_an_unknown_sweep_is_an_error_for_the_user(write_sweep):
    write_sweep("monday", ("FINISHED", 0.7))
    with pytest.raises(ConfigError, match="No sweep is called tuesday"):
        run("--sweep", "tuesday")


def test_a_report_needs_no_tensorflow(write_sweep):
    write_sweep("monday", ("FINISHED", 0.7))
    code = (
        "import sys; sys.argv = ['sweeper', 'report']\nfrom sweeper.app import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert not {'tensorflow', 'keras', 'mlflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
