from pathlib import Path

import pytest

from sweeper.machine import capacity, hardware
from sweeper.machine.gpus import Gpus
from sweeper.records.events import TrialEnded

from ..watched import X, events, trials


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Makes the machine one with a card that tells its memory as given, in MiB, and how busy it is, in percent."""

    def with_memory(told, busy="[N/A]"):
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f"#!/bin/sh\ncase $* in *utilization*) echo '0, GPU-1b2c, {busy}';; *) echo '{told}';; esac\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")

    return with_memory


@pytest.mark.parametrize(
    ("told", "slots"),
    [("1000, 10000", 9), ("4000, 10000", 2), ("6000, 10000", 1), ("0, 10000", 1), ("[N/A], [N/A]", 1), ("", 1)],
)
def test_a_card_holds_slots_like_the_one_that_it_has_measured(card, told, slots):
    card(told)
    assert capacity.on_card("0") == slots


@pytest.mark.parametrize(("busy", "slots"), [(1.0, 2), (0.45, 4), (0.2, 6), (0.01, 9), (0.0, 9)])
def test_a_card_gets_no_more_slots_than_keep_it_busy(card, busy, slots):
    card("1000, 10000")
    assert capacity.on_card("0", busy) == slots


@pytest.mark.parametrize(("percent", "told"), [("37", {"0": 0.37, "GPU-1b2c": 0.37}), ("[N/A]", {})])
def test_cards_tell_how_busy_they_are(card, percent, told):
    card("1000, 10000", percent)
    assert capacity.busy_cards() == told


@pytest.mark.parametrize("name", ["0", "GPU-1b2c"])
def test_the_busiest_moment_of_a_card_counts(card, name):
    card("1000, 10000", 45)
    cards = Gpus([name], known=False)
    cards.watch([0])
    card("1000, 10000", 3)  # while it validates
    cards.watch([0])
    assert list(cards.more(0)) == list(range(1, min(4, hardware.cores())))


def test_only_cards_that_train_and_are_not_measured_are_asked(monkeypatch):
    asked = []
    monkeypatch.setattr(capacity, "busy_cards", lambda: asked.append(1) or {})
    cards = Gpus(["0", "1"], known=False)  # and one trial: the second card never gets one
    cards.watch([])
    cards.watch([0])
    cards.more(0)
    cards.watch([0])
    assert len(asked) == 1


def test_a_machine_without_nvidia_smi_has_a_slot_a_card(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert capacity.on_card("0") == 1


V2 = {"memory.max": 1000, "memory.current": 990, "memory.stat": "anon 900\ninactive_file 9"}
V1 = {"memory.limit_in_bytes": 1000, "memory.usage_in_bytes": 990, "memory.stat": "total_inactive_file 9\nrss 900"}


@pytest.mark.parametrize(("files", "folder"), [(V2, ""), (V1, "memory")])
@pytest.mark.parametrize(("removable", "short"), [(9, True), (500, False)])
def test_the_limit_of_a_container_counts(tmp_path, files, folder, removable, short):
    (tmp_path / folder).mkdir(exist_ok=True)
    for name, content in files.items():
        (tmp_path / folder / name).write_text(f"{content}\n".replace("file 9", f"file {removable}"))
    assert capacity.is_short(tmp_path) is short


def test_no_limit_is_none(tmp_path):
    for name, content in (V2 | {"memory.max": "max"}).items():
        (tmp_path / name).write_text(f"{content}\n")
    assert not capacity.is_short(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(hardware.cores() < 2, reason="each slot wants a core")
@pytest.mark.parametrize(("told", "slots"), [("100, 10000", 2), ("9000, 10000", 1)])
def test_a_card_gets_more_slots_after_the_first_epoch(light, card, told, slots):
    card(told)
    chosen_by_the_machine = "hydra.sweeper.n_jobs=null"
    code, output = light(X, chosen_by_the_machine, "hydra.sweeper.n_trials=8", "epochs=3", "pause=0.3")
    assert code == 0, output
    assert len(list(Path("sweep/slots").iterdir())) == slots
    assert {trial.state for trial in trials()} <= {"FINISHED", "PRUNED"}


def test_a_trial_for_which_others_left_no_memory_on_its_card_starts_again_with_fewer_beside_it(light, card):
    card("100, 10000")
    few = ["hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=2", "hydra.sweeper.max_retries=1"]
    light("x=1,2", "fail=memory", *few, "hydra.sweeper.max_failure_rate=1")
    ended = [(event.trial, event.state) for event in events() if isinstance(event, TrialEnded)]
    assert ended[0][1] == "CRASHED", "two slots, one card"
    assert [state for _, state in ended[1:]] == ["OUT_OF_MEMORY", "OUT_OF_MEMORY"]
    assert sorted(number for number, _ in ended[1:]) == [0, 1]
