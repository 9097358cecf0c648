import subprocess
import sys

import pytest

from sweeper import text


@pytest.mark.parametrize(
    ("number", "read"),
    [
        (0.98321, "0.9832"),
        (1.0, "1.0000"),
        (0.0, "0.0000"),
        (-2.5, "-2.5000"),
        (1.2e-5, "1.2e-05"),
        (123456.0, "1.235e+05"),
    ],
)
def test_values_have_four_digits(number, read):
    assert text.value(number) == read


@pytest.mark.parametrize(
    ("chosen", "read"),
    [
        ({}, ""),
        ({"hparams.lr": 0.00213, "optimizer": "sgd"}, "lr=0.0021 optimizer=sgd"),
        ({"+trainer.batch_size": 128, "augment.flip": True}, "batch_size=128 flip=True"),
        ({"encoder.rate": 0.5, "decoder.rate": 1e-5}, "encoder.rate=0.5 decoder.rate=1e-05"),
    ],
)
def test_params_are_short_and_never_ambiguous(chosen, read):
    assert text.params(chosen) == read


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("custom", "custom"),
        ("Käse, 7 µm — 面", "Käse, 7 µm — 面"),
        ("\x1b[2J\x1b]0;owned\a", r"\x1b[2J\x1b]0;owned\x07"),
        ("a\tb\nc\x9b31m", r"a\tb\nc\x9b31m"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(words, shown):
    assert text.printable(words) == shown


@pytest.mark.parametrize(
    ("parameters", "read"), [(0, "0"), (999, "999"), (309_290, "309k"), (999_999, "1M"), (46_764_746, "46.8M")]
)
def test_sizes_have_three_digits(parameters, read):
    assert text.size(parameters) == read


@pytest.mark.parametrize(("seconds", "read"), [(9.84, "9.8 s"), (59.97, "1:00"), (75, "1:15"), (7384, "2:03:04")])
def test_durations_are_seconds_or_a_clock(seconds, read):
    assert text.duration(seconds) == read


def test_lines_are_broken_between_words_but_for_what_is_to_be_copied():
    words = "one two three four five\n  python -m sweeper export best\na/very/long/path/to/some/where"
    assert (
        text.wrapped(words, 20)
        == "one two three four\nfive\n  python -m sweeper export best\na/very/long/path/to/some/where"
    )
    assert text.wrapped(words, None) == words


@pytest.mark.parametrize(("number", "read"), [(0, "0 trials"), (1, "1 trial"), (2, "2 trials")])
def test_one_is_no_plural(number, read):
    assert text.count(number, "trial") == read


@pytest.mark.parametrize(
    ("raised", "read"),
    [(ValueError("no hill"), "ValueError: no hill"), (MemoryError(), "MemoryError"), (OSError(" "), "OSError")],
)
def test_an_error_without_a_word_has_its_class(raised, read):
    assert text.error(raised) == read


def test_a_pipe_closed_early_is_no_error():
    code = "from sweeper import text; text.pipe(str(number) for number in range(10**6))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
