"""What bash would be offered, as it asks for it."""

import os
import subprocess
import sys

import pytest


def offered(line, cwd):
    """Words, of which bash takes those that fit the last one."""
    environment = os.environ | {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    ask = [sys.executable, "-m", "sweeper", "-sc", "query=bash"]
    done = subprocess.run(ask, env=environment, cwd=cwd, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return {word for word in done.stdout.split() if word.startswith(line.rpartition(" ")[2])}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sweeper lead", {"leaderboard"}),
        ("sweeper s", {"show", "summary", "status", "stop", "schedule=", "schedule.", "seed="}),
        ("sweeper model=dens", {"model=densenet"}),
        ("sweeper leaderboard --s", {"--sweep"}),
        ("sweeper plan model=dens", {"model=densenet"}),
        ("sweeper plan --m", {"--most", "--multirun"}),
        ("sweeper status mon", {"monday"}),
        ("sweeper leaderboard --sweep ", {"monday", "tuesday"}),
        ("sweeper status --once t", {"tuesday"}),
        ("sweeper replay mon", {"monday"}),
        ("sweeper export b", {"best"}),
        ("sweeper predict ", set()),
        ("sweeper predict exports/", set()),
        ("sweeper predict exports a.png --h", {"--help"}),
        ("sweeper --config-d", {"--config-dir"}),
        ("sweeper -m model=custom --mul", {"--multirun"}),
        ("sweeper --config-dir ", set()),
        ("sweeper --config-dir conf model=mi", {"model=mine"}),
        (
            "sweeper --config-dir conf -m model=mine hparams=",
            {"hparams=default", "hparams=search", "hparams=search_architecture", "hparams=search_schedule"},
        ),
        ("sweeper export --format onnx tflite-i", {"tflite-int8"}),
    ],
)
def test_commands_options_sweeps_and_overrides_are_offered(write_sweep, tmp_path, line, words):
    write_sweep("monday", ("FINISHED", 1.0))
    write_sweep("tuesday", ("FINISHED", 1.0))
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("filters: 3\n")
    assert offered(line, tmp_path) == words


def test_the_formats_of_an_export_are_offered(tmp_path):
    assert {"onnx", "keras", "tflite", "savedmodel"} <= offered("sweeper export --format ", tmp_path)
