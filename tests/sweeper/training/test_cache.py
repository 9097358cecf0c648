"""A cached data set is the loaded one, as long as nothing that it was made from has changed."""

import json
import multiprocessing
import os
import resource
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sweeper import data
from sweeper.data import Dataset, Split
from sweeper.training import cache

TARGET = "sweeper.datasets.folder.load"


def dataset(images=40, value=7):
    """Of random images whose first pixel is `value`."""
    pixels = np.random.default_rng(0).integers(0, 256, (images, 8, 8, 3), np.uint8)
    pixels[0, 0, 0, 0] = value
    split = Split(pixels, np.arange(images) % 2)
    return Dataset(split, split, split, ("a", "b"), mean=(1.5, 2.0, 0.1), std=(3.0, 4.0, 5.0), drawn=True)


class Loader:
    """Counts how often it had to load."""

    def __init__(self, made=None):
        self.calls = 0
        self.made = made or dataset()

    def __call__(self):
        self.calls += 1
        return self.made


def load(folder, make, **keys):
    return cache.load({"_target_": TARGET} | keys, make, folder / "cache")


def assert_same(one, other):
    for name in cache.SPLITS:
        np.testing.assert_array_equal(getattr(one, name).images, getattr(other, name).images)
        np.testing.assert_array_equal(getattr(one, name).labels, getattr(other, name).labels)
    assert [getattr(one, key) for key in cache.PLAIN] == [getattr(other, key) for key in cache.PLAIN]


def test_the_second_time_nothing_is_loaded_and_all_is_the_same(tmp_path):
    make = Loader()
    first, second = load(tmp_path, make), load(tmp_path, make)
    assert make.calls == 1
    assert_same(first, make.made)
    assert_same(second, make.made)
    assert isinstance(second.train.images, np.memmap)
    assert not second.train.images.flags.writeable


def test_other_keys_are_another_data_set(tmp_path):
    make = Loader()
    for keys in ({"seed": 0}, {"seed": 1}, {"seed": 0, "size": 3}, {"seed": 0}):
        load(tmp_path, make, **keys)
    assert make.calls == 3


@pytest.mark.parametrize("change", ["content", "time", "new file", "file gone", "renamed"])
def test_a_change_of_a_file_that_a_key_names_is_noticed(change, tmp_path):
    images = tmp_path / "images"
    (images / "cats").mkdir(parents=True)
    first, second = images / "cats" / "1.png", images / "cats" / "2.png"
    first.write_text("one")
    second.write_text("two")
    load(tmp_path, Loader(), path=str(images))
    make = Loader()
    load(tmp_path, make, path=str(images))
    assert make.calls == 0
    match change:
        case "content":
            first.write_text("three")
        case "time":
            os.utime(first, (1, 1))
        case "new file":
            (images / "cats" / "3.png").write_text("three")
        case "file gone":
            second.unlink()
        case "renamed":
            second.rename(images / "cats" / "4.png")
    load(tmp_path, make, path=str(images))
    assert make.calls == 1


def make_unreadable(folder, monkeypatch):
    """chmod would not stop root."""

    def refusing(whole):
        def listed(path):
            if path == str(folder):
                raise PermissionError(13, "Permission denied", path)
            return whole(path)

        return listed

    for name in ("listdir", "scandir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))


@pytest.mark.parametrize("what", ["dangling link", "link to itself", "links in circles", "unreadable folder"])
def test_what_cannot_be_read_below_the_path_is_no_error(what, tmp_path, monkeypatch):
    cats = tmp_path / "images" / "cats"
    cats.mkdir(parents=True)
    match what:
        case "dangling link":
            (cats / ".#1.png").symlink_to("me@here.4711:1700000000")  # Emacs' mark of a file that is being edited
        case "link to itself":
            (cats / "loop").symlink_to("loop")
        case "links in circles":  # two of them: followed to the end they are 2**40 folders
            (cats / "up").symlink_to("..")
            (cats / "here").symlink_to(".")
        case "unreadable folder":
            make_unreadable(cats, monkeypatch)
    make = Loader()
    for _ in range(2):
        assert_same(load(tmp_path, make, path=str(tmp_path / "images")), make.made)
    assert make.calls == 1


def test_a_change_of_a_file_in_a_list_of_them_is_noticed(tmp_path):
    files = [tmp_path / "1.csv", tmp_path / "2.csv"]
    make = Loader()
    for text in ("1", "22", "22"):
        for file in files:
            file.write_text(text)
            os.utime(file, (1, 1))
        load(tmp_path, make, files={"train": [str(file) for file in files]})
    assert make.calls == 2


def test_a_change_behind_a_link_is_noticed(tmp_path):
    images, elsewhere = tmp_path / "images", tmp_path / "elsewhere"
    images.mkdir()
    elsewhere.mkdir()
    (images / "cats").symlink_to(elsewhere)
    (images / "1.png").symlink_to(tmp_path / "1.png")
    make = Loader()
    load(tmp_path, make, path=str(images))
    for file in (elsewhere / "2.png", tmp_path / "1.png"):
        for text in ("new", "newer"):
            calls = make.calls
            file.write_text(text)
            load(tmp_path, make, path=str(images))
            assert make.calls == calls + 1


@pytest.mark.parametrize(
    "target", ["nowhere.load", "sweeper.nowhere.load", "sweeper.data.Dataset.load", "load", "builtins.load", "..load"]
)
def test_a_target_that_is_no_module_is_left_to_the_loader(target, tmp_path):
    make = Loader()
    assert_same(cache.load({"_target_": target}, make, tmp_path / "cache"), make.made)


def test_a_change_of_the_loaders_source_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "my_loader.py").write_text("one = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    make = Loader()
    for source in ("one = 1\n", "one = 1\n", "two = 2\n"):
        (tmp_path / "my_loader.py").write_text(source)
        cache.load({"_target_": "my_loader.load"}, make, tmp_path / "cache")
    assert make.calls == 2


def test_a_change_of_what_all_loaders_share_is_noticed(tmp_path, monkeypatch):
    make = Loader()
    for source in ("one = 1\n", "one = 1\n", "two = 2\n"):
        (tmp_path / "data.py").write_text(source)
        monkeypatch.setattr(data.__spec__, "origin", str(tmp_path / "data.py"))
        load(tmp_path, make)
    assert make.calls == 2


DAMAGES = ["cut", "cut header", "zeros in the header", "empty", "gone", "no json", "other json", "other fields"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_made_anew(damage, tmp_path):
    load(tmp_path, Loader())
    (entry,) = (path.parent for path in tmp_path.glob("cache/*/dataset.json"))
    images = entry / "train.images.npy"
    match damage:
        case "cut":
            images.write_bytes(images.read_bytes()[:-1])
        case "cut header":
            images.write_bytes(images.read_bytes()[:30])
        case "zeros in the header":
            images.write_bytes(images.read_bytes()[:30] + bytes(9000))
        case "empty":
            images.write_bytes(b"")
        case "gone":
            images.unlink()
        case "no json":
            (entry / "dataset.json").write_text("{")
        case "other json":
            (entry / "dataset.json").write_text("null")
        case "other fields":
            (entry / "dataset.json").write_text('{"classes": ["a", "b"], "colours": 3}')
    make = Loader()
    assert_same(load(tmp_path, make), make.made)
    assert make.calls == 1
    load(tmp_path, make)
    assert make.calls == 1


def test_an_entry_that_is_in_use_may_be_made_anew(tmp_path):
    old = load(tmp_path, Loader(dataset(value=1)))
    shutil.rmtree(tmp_path / "cache")
    new = load(tmp_path, Loader(dataset(value=2)))
    assert (old.train.images[0, 0, 0, 0], new.train.images[0, 0, 0, 0]) == (1, 2)


def test_a_cache_that_is_read_only_is_used(tmp_path, monkeypatch):
    def refuse(path):
        raise OSError(30, "Read-only file system", str(path))

    make = Loader()
    load(tmp_path, make)
    monkeypatch.setattr(os, "utime", refuse)
    assert_same(load(tmp_path, make), make.made)
    assert make.calls == 1


def test_a_folder_that_cannot_be_written_costs_a_warning(tmp_path, caplog):
    (tmp_path / "cache").write_text("a file")
    make = Loader()
    assert load(tmp_path, make) is make.made
    assert "used without being kept there" in caplog.text


def test_a_full_disk_costs_a_warning(tmp_path, caplog):
    """A limit on the size of files stands for it: the write fails half-way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))
    try:
        make = Loader()
        assert load(tmp_path, make) is make.made
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert "used without being kept there" in caplog.text
    assert not list(tmp_path.glob("cache/*"))


def test_a_field_that_cannot_be_kept_costs_a_warning(tmp_path, caplog):
    make = Loader()
    odd = replace(make.made, classes=(np.int64(0), np.int64(1)))
    assert load(tmp_path, lambda: odd) is odd
    assert "used without being kept there" in caplog.text


def test_what_is_no_dataset_is_not_kept(tmp_path):
    make = Loader("rows of a table")
    assert load(tmp_path, make) == load(tmp_path, make) == "rows of a table"
    assert make.calls == 2


def test_an_error_of_the_loader_passes_and_leaves_nothing(tmp_path):
    def fail():
        raise OSError("no such camera")

    with pytest.raises(OSError, match="no such camera"):
        load(tmp_path, fail)
    assert not list(tmp_path.glob("cache/*"))


def test_those_not_used_for_longest_make_room(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 2.5 * 3 * dataset().train.images.nbytes)
    first, others = Loader(), Loader()
    load(tmp_path, first, seed=0)
    for seed in (1, 2, 3):
        for age, file in enumerate(sorted(tmp_path.glob("cache/*/"), key=os.path.getmtime, reverse=True)):
            os.utime(file, (1000 - age, 1000 - age))  # clocks are coarse
        load(tmp_path, first, seed=0)  # in use
        load(tmp_path, others, seed=seed)
    assert first.calls == 1
    assert len(list(tmp_path.glob("cache/*"))) == 2


def test_what_else_lies_in_the_folder_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 0)
    (tmp_path / "cache" / "mine").mkdir(parents=True)
    files = [tmp_path / "cache" / "uv.lock", tmp_path / "cache" / "mine" / "dataset.json"]
    for file in files:
        file.write_text("mine")
    load(tmp_path, Loader())
    assert [file.read_text() for file in files] == ["mine", "mine"]


def test_an_entry_that_another_process_evicts_at_the_same_moment_costs_nothing(tmp_path, monkeypatch, caplog):
    def late(folder, kept):
        raise FileNotFoundError(2, "No such file or directory", str(folder / "gone"))

    monkeypatch.setattr(cache, "_evict", late)
    assert isinstance(load(tmp_path, Loader()).train.images, np.memmap)
    assert not caplog.text


def slowly(folder, calls):
    def make():
        with open(calls, "a") as file:
            file.write("x")
        time.sleep(0.5)
        return dataset()

    assert_same(load(folder, make), dataset())


def test_processes_that_need_the_same_at_once_load_it_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=slowly, args=(tmp_path, tmp_path / "calls")) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (tmp_path / "calls").read_text() == "x"
    assert not list(tmp_path.glob("cache/*.lock"))


def test_a_lock_has_one_holder_though_its_file_comes_and_goes(tmp_path):
    """Threads stand for processes: each opens the file anew."""
    inside, most = [], []

    def enter_often(number):
        for _ in range(200):
            with cache._locked(tmp_path / "entry"):
                inside.append(number)
                most.append(len(inside))
                time.sleep(0)  # another may run
                inside.remove(number)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(enter_often, range(4)))
    assert most == [1] * 800
    assert not list(tmp_path.iterdir())


def hang(folder, when):
    def begin(*_):
        (folder / "begun").touch()
        time.sleep(600)

    if when == "writes":
        cache.np.save = begin
    load(folder, begin if when == "loads" else Loader(), seed=0)


@pytest.mark.parametrize("seed", [0, 1], ids=["the same is loaded next", "another is loaded next"])
@pytest.mark.parametrize("when", ["loads", "writes"])
def test_one_killed_leaves_the_way_free_and_no_file_for_long(when, seed, tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=hang, args=(tmp_path, when))
    process.start()
    while not (tmp_path / "begun").exists():
        assert process.is_alive()
        time.sleep(0.01)
    process.kill()
    process.join()
    assert len(list(tmp_path.glob("cache/*"))) == {"loads": 1, "writes": 2}[when]  # the lock file and what was begun
    make = Loader()
    assert_same(load(tmp_path, make, seed=seed), make.made)
    (entry,) = tmp_path.glob("cache/*")
    assert (entry / "dataset.json").exists()


def test_one_that_writes_is_not_disturbed_by_one_that_writes_another(tmp_path):
    make = Loader()
    with cache._locked(tmp_path / "cache" / f"folder-{'0' * 16}"):
        begun = tmp_path / "cache" / f".folder-{'0' * 16}-begun"
        begun.mkdir()
        load(tmp_path, make)
        assert begun.exists()
        assert len(list(tmp_path.glob("cache/*.lock"))) == 1


def anonymous():
    """Bytes of memory that this process shares with nobody and no file."""
    lines = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) * 1024


def test_the_images_are_no_memory_of_the_process(tmp_path):
    load(tmp_path, Loader(dataset(images=300_000)))
    before = anonymous()
    data = load(tmp_path, Loader())
    assert data.train.images[::10].sum() > 0
    assert data.train.images.nbytes > 50e6
    assert anonymous() - before < 20e6


def test_an_entry_of_another_machine_is_found_where_its_files_are_not(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.write_text("pixels")
    keys = {"_target_": TARGET, "path": str(source)}
    cache.load(keys, Loader(), tmp_path / "there")
    made = cache.entry(keys, tmp_path / "there")
    files = {file.name: np.fromfile(file, np.uint8) for file in made.iterdir()}
    source.unlink()
    assert cache.entry(keys, tmp_path / "there") != made, "what a machine without the files would look for"
    asked = []
    for _ in range(2):
        cache.put(tmp_path / "here" / made.name, lambda: asked.append(1) or files)
    assert len(asked) == 1
    monkeypatch.setenv(cache.SHIPPED, json.dumps({cache.digest(keys): made.name}))
    idle = Loader()
    assert_same(cache.load(keys, idle, tmp_path / "here"), dataset())
    assert idle.calls == 0
    assert cache.load(keys | {"size": 3}, idle, tmp_path / "here") is not None
    assert idle.calls == 1, "of other keys nothing was sent"
