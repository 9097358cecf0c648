import json
import math
import multiprocessing
import os
import time

import pytest

from sweeper.config.compose import composed
from sweeper.errors import ConfigError
from sweeper.machine import hardware
from sweeper.training import instances, speed
from sweeper.training.program import Program
from sweeper.training.start import prepare
from sweeper.training.trainer import AUTO
from sweeper.training.trial import run

SECONDS = {"float32": 0.3, "mixed_bfloat16": 0.2}


def seconds(precisions):
    return {each: SECONDS[each] for each in precisions}


@pytest.fixture
def two_precisions(monkeypatch):
    monkeypatch.setattr(hardware, "flags", lambda: {"amx_bf16"})


@pytest.mark.usefixtures("two_precisions")
@pytest.mark.parametrize(
    ("bfloat16", "chosen"), [(0.2, "mixed_bfloat16"), (0.29, "float32"), (0.3, "float32"), (0.5, "float32")]
)
def test_the_precision_is_another_one_only_if_it_is_worth_it(bfloat16, chosen, tmp_path):
    measured = SECONDS | {"mixed_bfloat16": bfloat16}
    assert speed.precision("work", lambda precisions: measured, tmp_path) == chosen


def test_a_processor_that_knows_float32_only_measures_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "flags", lambda: {"avx2"})
    assert speed.precision("work", seconds, tmp_path) == "float32"
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("two_precisions")
def test_what_was_measured_is_measured_once_for_a_machine_and_a_work(tmp_path, monkeypatch):
    asked = []

    def asking(precisions):
        asked.extend(precisions)
        return seconds(precisions)

    for work in ("this", "this", "that"):
        assert speed.precision(work, asking, tmp_path) == "mixed_bfloat16"
    assert len(asked) == 4
    monkeypatch.setattr(hardware, "name", lambda: "another one")
    speed.precision("this", asking, tmp_path)
    assert len(asked) == 6
    assert len(json.loads((tmp_path / speed.NAME).read_text())) == 2


@pytest.mark.usefixtures("two_precisions")
@pytest.mark.parametrize("content", ["", "{", "[]", '{"machine": 3}'])
def test_a_damaged_file_is_measured_anew(content, tmp_path):
    (tmp_path / speed.NAME).write_text(content)
    assert speed.precision("work", seconds, tmp_path) == "mixed_bfloat16"
    (known,) = json.loads((tmp_path / speed.NAME).read_text()).values()
    assert known == {"seconds a step of work": SECONDS}


@pytest.mark.usefixtures("two_precisions")
def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path):
    (tmp_path / "file").write_text("")
    assert speed.precision("work", seconds, tmp_path / "file") == "mixed_bfloat16"
    assert speed.precision("work", seconds, None) == "mixed_bfloat16"


def measure_slowly(folder):
    def slowly(precisions):
        for each in precisions:
            (folder / f"{each}-{os.getpid()}").touch()
            time.sleep(0.3)
        return seconds(precisions)

    hardware.flags = lambda: {"amx_bf16"}
    speed.precision("work", slowly, folder)


@pytest.mark.slow
def test_processes_wait_for_the_one_that_measures(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=measure_slowly, args=(tmp_path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert len(list(tmp_path.glob("*float*"))) == 2, "one process measured two precisions"


def test_a_large_network_returns_to_python_after_each_step_and_a_small_one_seldom(tmp_path):
    large, middle, small = (speed.steps_at_once(mflops, 64, tmp_path) for mflops in (1e5, 3, 1e-3))
    assert large == 1
    assert 1 < middle < small
    assert small == speed.EXECUTION / speed.FASTEST


@pytest.mark.slow
def test_a_trial_tells_what_auto_became(tmp_path):
    cfg = composed(["trainer.epochs=1", "model.filters=2", f"trainer.precision={AUTO}", f"cache={tmp_path / 'cache'}"])
    facts = run(cfg, folder=tmp_path).facts
    assert facts["precision"] in ("float32", "mixed_bfloat16")
    assert facts["steps_per_execution"] == 17, "all steps of an epoch"
    assert (tmp_path / "cache" / speed.NAME).exists()


def begun(precision):
    if precision == "mixed_float16":
        raise ValueError("no such kernel")
    cfg = composed(["model.filters=2", f"trainer.precision={precision}", "trainer.steps_per_execution=1"])
    start = prepare(cfg, instances.make(cfg, "trainer"))
    return Program(start.parts, start.batches.steps), start.batches


def test_a_precision_that_the_network_cannot_do_is_no_choice(caplog):
    measured = speed.seconds_a_step(["float32", "mixed_float16", "mixed_bfloat16"], begun)
    assert measured["mixed_float16"] == math.inf
    assert 0 < measured["float32"] < 10
    assert 0 < measured["mixed_bfloat16"] < 10
    assert "no such kernel" in caplog.text


def test_precisions_take_turns_and_the_fastest_of_their_steps_counts():
    done = []

    def work(name, times):
        def step():
            done.append(name)
            time.sleep(times.pop(0) if times else 0.02)

        return step

    least = speed._least({"one": work("one", [0.3, 0.3, 0.1]), "other": work("other", [])})
    assert done[:6] == ["one", "other"] * 3
    assert all(0.02 <= seconds < 0.1 for seconds in least.values())


def test_auto_needs_a_place_to_remember_what_it_measured(tmp_path):
    cfg = composed(["trainer.epochs=1", f"trainer.precision={AUTO}", "cache=null"])
    with pytest.raises(ConfigError, match="cache=null"):
        run(cfg, folder=tmp_path)


def test_a_processor_compiles_by_xla_only_if_told(tmp_path):
    assert not speed.pays_to_compile(10**9)
    facts = run(composed(["trainer.epochs=1", "model.filters=2", f"trainer.jit_compile={AUTO}"]), folder=tmp_path).facts
    assert "jit_compile" not in facts


@pytest.mark.skipif(not hardware.gpus(), reason="needs a GPU")
def test_a_card_compiles_long_trainings_by_xla():
    assert speed.pays_to_compile(speed.COMPILED)
    assert not speed.pays_to_compile(speed.COMPILED - 1)
