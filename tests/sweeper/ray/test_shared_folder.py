"""A sweep's folder on a node that has it, and on one to which its files travel."""

import pytest

from sweeper.errors import DataError
from sweeper.ray import shared_folder
from sweeper.ray.shared_folder import Scratch, Shared, Site


@pytest.fixture
def sweep(tmp_path):
    folder = tmp_path / "sweep"
    (folder / "slots").mkdir(parents=True)
    (folder / "slots" / ".token").touch()
    return folder


@pytest.fixture
def scratch():
    scratch = Scratch(3)
    yield scratch
    scratch.clear()
    assert not scratch.sweep.exists()


def site(sweep, shared=None):
    return Site(str(sweep), "/", "/project", str(sweep / "slots" / ".token"), shared)


def test_who_sees_the_token_has_the_folder(sweep):
    assert isinstance(site(sweep).find(0), Shared)
    (sweep / "slots" / ".token").unlink()  # a folder of the same name, on another machine
    there = site(sweep).find(0)
    assert isinstance(there, Scratch)
    assert site(sweep).moved(there)[str(sweep)] == str(there.sweep)
    there.clear()


def test_the_user_has_the_last_word(sweep):
    there = site(sweep, shared=False).find(0)
    assert isinstance(there, Scratch)
    there.clear()


def test_only_what_changed_comes_back(sweep, scratch):
    (sweep / "7").mkdir()
    (sweep / "7" / "checkpoint.npz").write_bytes(b"epoch 3")
    scratch.lay_out(shared_folder.pack(sweep, ["7"]))
    assert (scratch.sweep / "7" / "checkpoint.npz").read_bytes() == b"epoch 3"
    assert scratch.changed() == {}
    (scratch.sweep / "7" / "checkpoint.npz").write_bytes(b"epoch 4.")
    (scratch.sweep / "7" / "sub").mkdir()
    (scratch.sweep / "7" / "sub" / "app.log").write_text("line")
    changed = scratch.changed()
    assert set(changed) == {"7/checkpoint.npz", "7/sub/app.log"}
    assert scratch.changed() == {}
    shared_folder.unpack(changed, sweep)
    assert (sweep / "7" / "checkpoint.npz").read_bytes() == b"epoch 4."
    assert (sweep / "7" / "sub" / "app.log").read_text() == "line"


def test_the_next_trial_finds_nothing_of_the_last_one(scratch):
    scratch.lay_out({"7/config.yaml": b"x: 1"})
    scratch.lay_out({"8/config.yaml": b"x: 2"})
    assert [str(path.relative_to(scratch.sweep)) for path in scratch.sweep.rglob("*.yaml")] == ["8/config.yaml"]


def test_a_log_comes_back_once(scratch):
    log = scratch.logs / "slot-3.log"
    assert scratch.added_to_log() == b""
    log.write_bytes(b"one\n")
    assert scratch.added_to_log() == b"one\n"
    with open(log, "ab") as file:
        file.write(b"two\n")
    assert scratch.added_to_log() == b"two\n"
    assert scratch.changed() == {}, "a log is no file of a trial"


@pytest.mark.parametrize("name", ["../outside", "/etc/outside"])
def test_no_file_is_written_outside(sweep, name):
    with pytest.raises(DataError, match="outside"):
        shared_folder.unpack({name: b""}, sweep)
