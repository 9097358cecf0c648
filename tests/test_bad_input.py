"""Whatever somebody hands us, the answer is a result or one sentence: no traceback, no hang, nothing outside of its
folder. hypothesis throws what no table of cases would think of."""

import contextlib
import inspect
import io
import json
import os
import struct
import zlib
from argparse import ArgumentParser
from collections import deque
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_automatic_config_search_path
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from sweeper import data
from sweeper.app import main
from sweeper.commands import leaderboard
from sweeper.config.compose import composed
from sweeper.engine.keeper import Keeper
from sweeper.errors import ConfigError, DataError, SweeperError
from sweeper.files import card
from sweeper.records import journal, record, sweeps
from sweeper.records.events import SweepEnded, SweepStarted, TrialEnded, TrialStarted, TrialTested
from sweeper.search import settings as sweeper_settings
from sweeper.search import space
from sweeper.tracking.ledger import Ledger
from sweeper.training import checkpoint, config, evaluation, instances

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TEXT = st.text(max_size=30) | st.sampled_from(
    ["", "..", "../../etc", "/etc", "0", "nan", "a\0b", "\ud800", "${x}", "²", "\x1b]0;title\a"]
)
WORDS = TEXT | st.sampled_from(
    ["--sweep", "--top", "--csv", "--out", "--format", "onnx", "--uri", "best", "-1", "--help"]
)
NUMBERS = st.floats() | st.integers() | st.sampled_from([10**400, -(10**30), 2**63, 1e308, -0.0])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)


@contextlib.contextmanager
def told():
    """A sentence for the user is as good as success, if no terminal obeys it."""
    sentence = ""
    try:
        yield
    except (ConfigError, DataError) as error:
        sentence = str(error)
    assert sentence.replace("\n", "").isprintable()


def written(folder: Path, name: str, content: bytes | str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        content = content.encode(errors="surrogatepass")
    (folder / name).write_bytes(content)
    return folder


EVENTS = [
    SweepStarted("s", "c", "val_accuracy", ("maximize",), 3, None, 1.0, {"model": "custom"}),
    TrialStarted(0, 0, {"hparams.lr": 0.1}, "train", "0", 2.0),
    TrialEnded(0, "FINISHED", (0.5,), None, {"parameters": 3, "epochs": 2, "model": "custom"}, 3.0),
    TrialTested(0, {"test_accuracy": 0.5}, 10, 4.0),
    TrialStarted(1, 0, {}, "train", "1", 2.0),
    TrialEnded(1, "PRUNED", (0.4,), "late", {}, 3.0),
    SweepEnded("FINISHED", None, 0, 5.0),
]
ROWS = [{"event": type(event).__name__} | asdict(event) for event in EVENTS]


@st.composite
def damaged_rows(draw):
    """A real journal with some values, keys or lines replaced."""
    rows = [dict(row) for row in ROWS]
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.sampled_from(rows))
        match draw(st.sampled_from(["value", "value", "value", "key", "less", "line"])):
            case "value" if row:
                row[draw(st.sampled_from(sorted(row)))] = draw(JSON)
            case "key":
                row[draw(TEXT)] = draw(JSON)
            case "less" if row:
                del row[draw(st.sampled_from(sorted(row)))]
            case "line":
                rows.insert(draw(st.integers(0, len(rows))), draw(st.fixed_dictionaries({"event": JSON})))
    return "".join(json.dumps(row) + "\n" for row in rows)


def read_everywhere(folder: Path) -> None:
    """As the leaderboard, its csv file, the exporter and `enqueue` read a sweep."""
    arguments = ArgumentParser()
    leaderboard.add_arguments(arguments)
    for line in (["--csv", "all.csv"], ["--sweep", folder.name, "--top", "0"]):
        shown = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="")
        with told(), contextlib.redirect_stdout(shown):
            leaderboard.run(arguments.parse_args(line))
        shown.seek(0)
        assert shown.read().translate({ord("\t"): None, ord("\n"): None}).isprintable()
    for name in ("best", "0", f"{folder.name}/1", "abcdef"):
        with told():
            assert sweeps.find_trial(name, None).folder.resolve().is_relative_to(folder.resolve())
    with told():
        record.read(folder)


@steady
@given(content=damaged_rows())
def test_a_journal_with_any_values_is_read_or_refused(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read_everywhere(written(tmp_path / "multirun" / "monday", journal.NAME, content))


@steady
@given(content=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value) + "\n"))
def test_any_bytes_in_place_of_a_journal_are_read_or_refused(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read_everywhere(written(tmp_path / "multirun" / "monday", journal.NAME, content))


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"event":' * 50_000, "9" * 10_000_000, "\0" * 1000, '{"a": 1e999999}']
)
def test_a_monstrous_line_is_refused(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = written(tmp_path / "multirun" / "monday", journal.NAME, line + "\n")
    read_everywhere(folder)
    with pytest.raises(DataError):
        record.read(folder)


def test_a_pipe_in_place_of_a_journal_does_not_stop_the_leaderboard(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "multirun" / "monday").mkdir(parents=True)
    os.mkfifo(tmp_path / "multirun" / "monday" / journal.NAME)
    read_everywhere(tmp_path / "multirun" / "monday")
    with pytest.raises(DataError, match="is no file"):
        record.read(tmp_path / "multirun" / "monday")


@steady
@given(rows=st.lists(JSON | st.fixed_dictionaries({"trial": JSON, "attempt": JSON, "run_id": JSON}), max_size=3))
def test_any_ledger_is_read_or_refused(rows, tmp_path):
    folder = written(tmp_path, record.RUNS, "".join(json.dumps(row) + "\n" for row in rows))
    with told():
        Ledger(folder).get(0, 0)
    with told():
        record.run_ids(folder)


@pytest.mark.parametrize("where", ["../other", "/tmp", "a/../../other", "linked"])
def test_a_trial_outside_of_its_sweep_loses_no_file(where, tmp_path):
    other = written(tmp_path / "other", record.MODEL, b"precious")
    sweep = tmp_path / "sweep"
    sweep.mkdir()
    (sweep / "linked").symlink_to(other)
    keeper = Keeper(sweep, ("maximize",), 1)
    events = TrialStarted(0, 0, {}, "", where, 1.0), TrialEnded(0, "FAILED", None, None)
    with pytest.raises(DataError, match="outside of the sweep"):
        deque(map(keeper.write, events))
    assert (other / record.MODEL).exists()


YAML = st.binary(max_size=60) | JSON.map(json.dumps) | st.text(st.sampled_from("a:-[]{}&*!|>'\"\n 1.?"), max_size=40)
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{b}: &{b} [{f'*{a},' * 9}]\n" for a, b in pairwise("abcdefghi"))
CARD = {"model": "m", "dataset": "d", "classes": ["a"], "input_shape": [8, 8, 1], "mean": [0.0], "std": [1.0]}
CARD |= {"metric": "loss", "value": 0.5, "parameters": 3}
CONFIG = {"dataset": {"_target_": "sweeper.datasets.digits.load", "seed": 0, "validation": 0.1}, "cache": None}


def changed(whole: dict) -> st.SearchStrategy[str]:
    """The yaml of `whole` with one value replaced."""
    return st.tuples(st.sampled_from(sorted(whole)), JSON).map(
        lambda change: json.dumps(whole | {change[0]: change[1]})
    )


@steady
@given(content=YAML | changed(CARD) | st.just(BOMB))
def test_any_card_is_read_or_refused(content, tmp_path):
    with told():
        found = card.read(written(tmp_path, card.NAME, content))
        assert len(found.mean) == len(found.std) == found.input_shape[2]


@steady
@given(content=YAML | changed({"images": 3, "metrics": {}, "class_accuracy": {}}) | st.just(BOMB))
def test_any_test_result_is_read_or_refused(content, tmp_path):
    with told():
        assert isinstance(evaluation.read(written(tmp_path, evaluation.NAME, content)).images, int)


@steady
@given(content=YAML | changed(CONFIG) | changed(CONFIG["dataset"]).map('{{"dataset": {}}}'.format) | st.just(BOMB))
def test_the_data_set_of_any_config_is_loaded_or_refused(content, tmp_path):
    with told():
        cfg = config.read(written(tmp_path, record.CONFIG, content))
        cfg.cache = None
        instances.dataset(cfg)


@pytest.mark.parametrize(
    "dataset",
    [
        {"_target_": "os.system", "command": "touch ran"},
        {"_target_": "sweeper.datasets.folder.load", "seed": 0, "path": {"_target_": "builtins.eval", "_args_": ["1"]}},
        {"_target_": "sweeper.datasets.folder.load", "seed": 0, "path": "${oc.env:HOME}"},
    ],
)
def test_the_config_of_a_stranger_runs_nothing_and_reads_no_environment(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SweeperError) as caught:
        instances.dataset(config.read(written(tmp_path, record.CONFIG, json.dumps({"dataset": dataset}))))
    assert os.environ["HOME"] not in str(caught.value).replace(str(tmp_path), "")
    assert not Path("ran").exists()


@steady
@given(content=st.binary(max_size=200))
def test_any_bytes_in_place_of_a_checkpoint_start_from_the_beginning(content, tmp_path):
    assert checkpoint.read(written(tmp_path, checkpoint.NAME, content)) is None


def test_a_pickle_in_place_of_a_checkpoint_is_not_loaded(tmp_path):
    np.savez(tmp_path / checkpoint.NAME, curve="[]", network_0=np.array([print], dtype=object))
    assert checkpoint.read(tmp_path) is None


@pytest.fixture(scope="module")
def loader():
    return ConfigLoaderImpl(create_automatic_config_search_path(None, None, "pkg://sweeper.conf"))


OVERRIDES = st.sampled_from(["x=", "+x=", "~x", "model=", "hparams.lr=", "x@y=", ""]).flatmap(
    lambda key: (
        TEXT
        | st.text(st.sampled_from("()[]{},:'\"\\=intervalrangechoicetaglogsortshuffle0123456789.e+-*$ "), max_size=30)
        | st.builds("{}({}, {})".format, st.sampled_from(["interval", "range", "choice", "glob"]), NUMBERS, NUMBERS)
        | st.builds("tag(log, interval({}, {}))".format, NUMBERS, NUMBERS)
        | st.builds("range({}, {}, {})".format, NUMBERS, NUMBERS, NUMBERS)
        | st.builds("int(interval({}, {}))".format, NUMBERS, NUMBERS)
    ).map(lambda value: key + value)
)


@steady
@given(lines=st.lists(OVERRIDES, min_size=1, max_size=2))
def test_any_override_is_a_space_or_refused(lines, loader):
    with told():
        space.build(lines, None, None, loader, lambda _: OmegaConf.create({}))


@pytest.mark.parametrize(
    "value", ["range(0, 1e12)", "shuffle(range(0, 1000000000000))", "range(0, 1, 1e-12)", "range(1, 2, 0)"]
)
def test_a_range_of_too_many_values_is_refused_at_once(value, loader):
    space.build(["x=range(0, 1000000000000)"], None, None, loader, lambda _: OmegaConf.create({}))
    with pytest.raises(ConfigError, match="x="):
        space.build([f"x={value}"], None, None, loader, lambda _: OmegaConf.create({}))


KEYS = {"sampler": {}, "pruner": {}, "executor": {}}
NAMES = [*inspect.signature(sweeper_settings.Settings).parameters, "typo"]


@settings(steady, max_examples=300)
@given(key=st.sampled_from(NAMES), value=JSON)
def test_any_setting_is_taken_or_refused(key, value, loader):
    with told():
        found = sweeper_settings.read(KEYS | {key: value})
        assert set(found.directions) <= {"minimize", "maximize"}
        space.build(["x=1,2"], found.params, found.spaces, loader, lambda _: OmegaConf.create({"model": {"space": {}}}))


@pytest.mark.parametrize("missing", KEYS)
def test_a_missing_setting_is_named(missing):
    with pytest.raises(ConfigError, match=missing):
        sweeper_settings.read({key: value for key, value in KEYS.items() if key != missing})


@settings(steady, max_examples=25)
@given(lines=st.lists(OVERRIDES | TEXT, min_size=1, max_size=2))
def test_any_override_composes_or_is_refused(lines):
    with told():
        composed(lines)


@steady
@given(
    command=st.sampled_from(
        ["leaderboard", "export", "promote", "replay", "predict", "confirm", "status", "stop", "reproduce"]
    ),
    words=st.lists(WORDS, max_size=4),
)
def test_any_words_behind_a_command_are_taken_or_refused(command, words, tmp_path, monkeypatch):
    """The exit code is 2, or 0 for --help: no sweep is here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["sweeper", command, *words])
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said), pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2 or "usage:" in said.getvalue()


def png(width: int, height: int) -> bytes:
    """The beginning of an image that claims so many pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = (
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in (header, data)
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


IMAGES = (
    st.binary(max_size=100)
    | st.builds(png, st.integers(0, 60_000), st.integers(0, 60_000))
    | st.sampled_from([b"\xff\xd8\xff\xe0", b"GIF89a\xff\xff\xff\xff", b"BM" + b"\xff" * 60, b"II*\0" + b"\xff" * 40])
)


@settings(steady, max_examples=25)
@given(content=IMAGES, channels=st.sampled_from([1, 3]))
def test_any_bytes_are_an_image_or_none(content, channels, tmp_path):
    found = data.read_image(written(tmp_path, "image.png", content) / "image.png", channels)
    assert found is None or found.shape[2] == channels


def test_an_image_that_claims_more_than_memory_holds_is_none(tmp_path):
    assert data.read_image(written(tmp_path, "bomb.png", png(60_000, 60_000)) / "bomb.png", 3) is None


@pytest.mark.parametrize(
    "override", ["image_size=0", "image_size=-3", "image_size=x", "image_size=1e9", "path=5", f"path={'a' * 5000}"]
)
def test_values_that_no_folder_of_images_can_be_read_with_are_refused(override, image_folder):
    key, _, value = override.partition("=")
    node = {"_target_": "sweeper.datasets.folder.load", "seed": 0, "path": str(image_folder)}
    node |= {key: OmegaConf.create(f"x: {value}").x}
    with pytest.raises(SweeperError, match=key):
        instances.dataset(OmegaConf.create({"dataset": node, "cache": None}))


def test_a_folder_of_a_class_whose_name_is_no_text_is_refused(image_folder):
    os.rename(bytes(image_folder / "apple"), bytes(image_folder) + b"/\xff")
    with pytest.raises(DataError, match="UTF-8"):
        instances.dataset(
            OmegaConf.create(
                {"dataset": {"_target_": "sweeper.datasets.folder.load", "seed": 0, "path": str(image_folder)}}
            )
        )


FIELD = st.binary(max_size=10) | st.sampled_from([b"Training", b"9" * 5000, b"-1", b"256", b"1e9", b"\0", b'"a,b"'])
LINES = st.lists(st.lists(FIELD, max_size=12).map(b",".join), max_size=3)


@steady
@given(lines=LINES, which=st.sampled_from(["images", "labels"]), replace=st.booleans())
def test_any_csv_of_faces_is_read_or_refused(lines, which, replace, ferplus_files):
    file = ferplus_files[which]
    whole = file.read_bytes()
    head = whole[: 0 if replace else whole.index(b"\n") + 1]
    try:
        file.write_bytes(head + b"\n".join(lines))
        node = {"_target_": "sweeper.datasets.ferplus.load", "seed": 0} | {k: str(v) for k, v in ferplus_files.items()}
        with told():
            instances.dataset(OmegaConf.create({"dataset": node, "cache": None}))
    finally:
        file.write_bytes(whole)


@steady
@given(row=st.integers(0, 89), field=FIELD, column=st.integers(0, 11))
def test_any_field_of_a_vote_is_read_or_refused(row, field, column, ferplus_files):
    file = ferplus_files["labels"]
    whole = file.read_bytes()
    rows = [line.split(b",") for line in whole.splitlines()]
    rows[row + 1][column] = field
    try:
        file.write_bytes(b"\n".join(map(b",".join, rows)) + b"\n")
        node = {"_target_": "sweeper.datasets.ferplus.load", "seed": 0} | {k: str(v) for k, v in ferplus_files.items()}
        with told():
            instances.dataset(OmegaConf.create({"dataset": node, "cache": None}))
    finally:
        file.write_bytes(whole)
