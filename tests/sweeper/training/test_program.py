import gc
import json
import subprocess
import sys
from pathlib import Path

import keras
import psutil
import pytest
from tensorflow.python.framework.func_graph import FuncGraph

import sweeper
from sweeper.config.compose import composed
from sweeper.training import trial, twins
from sweeper.training.program import Programs

CONF = Path(sweeper.__file__).parent.parent / "conf"
OPTIMIZERS = sorted(file.stem for file in (CONF / "optimizer").glob("*.yaml"))
NETWORKS = sorted(file.stem for file in (CONF / "model").glob("*.yaml"))
SMALL = ["dataset=digits", "dataset.train_size=128", "trainer.epochs=2"]
ONE = ["hparams.lr=1e-3", "hparams.dropout=0.5", "hparams.weight_decay=1e-2", "seed=1"]
OTHER = ["hparams.lr=3e-3", "hparams.dropout=0.2", "hparams.weight_decay=1e-4", "seed=2"]
LOSSES = """
import json, sys
from pathlib import Path
from sweeper.training import trial, twins
from sweeper.config.compose import composed
losses = []
trial.run(composed(sys.argv[2:]), lambda epoch, value, metrics: losses.append(metrics["loss"]), Path(sys.argv[1]))
print(json.dumps(losses))
"""


def losses(folder, kept, *overrides):
    """Of training and validation after each epoch."""
    heard = []

    def report(epoch, value, metrics):
        heard.extend([metrics["loss"], metrics["val_loss"]])
        return False

    trial.run(composed([*SMALL, *overrides]), report, folder, kept)
    return heard


def in_reused_and_in_fresh_program(folder, *overrides):
    kept = {}
    losses(folder, kept, *overrides, *ONE)
    reused = losses(folder, kept, *overrides, *OTHER)
    assert len(programs(kept)) == 1
    return reused, losses(folder, {}, *overrides, *OTHER)


def programs(kept):
    return list(kept["programs"]._kept.values())


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_reused_program_trains_like_a_fresh_one_with_every_optimizer(tmp_path, optimizer):
    reused, fresh = in_reused_and_in_fresh_program(tmp_path, "model.filters=4", f"optimizer={optimizer}")
    assert reused == pytest.approx(fresh, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_a_reused_program_trains_like_a_fresh_one_with_every_network(tmp_path, network):
    reused, fresh = in_reused_and_in_fresh_program(tmp_path, f"model={network}")
    assert reused == pytest.approx(fresh, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "override",
    ["trainer.ema=0.9", "trainer.views=2", "trainer.precision=mixed_bfloat16", "trainer.class_weights=balanced"],
)
def test_a_reused_program_trains_like_a_fresh_one_with_every_trainer(tmp_path, override):
    reused, fresh = in_reused_and_in_fresh_program(tmp_path, "model.filters=4", override)
    assert reused == pytest.approx(fresh, rel=1e-4)


@pytest.mark.slow
def test_a_reused_program_trains_like_a_fresh_process(tmp_path):
    kept = {}
    losses(tmp_path, kept, "model.filters=4", *ONE)
    reused = losses(tmp_path, kept, "model.filters=4", *OTHER)[::2]
    command = [sys.executable, "-c", LOSSES, tmp_path / "fresh", *SMALL, "model.filters=4", *OTHER]
    fresh = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    assert reused == pytest.approx(json.loads(fresh), rel=1e-5)


def test_numbers_share_a_program_and_it_is_traced_once(tmp_path):
    kept = {}
    for overrides in (ONE, OTHER, ["schedule=one_cycle"], ["schedule=plateau"], ["trainer.epochs=3"]):
        losses(tmp_path, kept, "model.filters=4", *overrides)
        traced = programs(kept)[0].model.train_function
        assert len(programs(kept)) == 1
    assert losses(tmp_path, kept, "model.filters=4")
    assert programs(kept)[0].model.train_function is traced


@pytest.mark.slow
def test_a_program_leaves_no_graph_behind_from_trial_to_trial(tmp_path):
    kept, counts = {}, []
    for _ in range(4):
        losses(tmp_path, kept, "model.filters=4")
        gc.collect()
        counts.append(sum(type(thing) is FuncGraph for thing in gc.get_objects()))
    assert counts[1] == counts[2] == counts[3]


@pytest.mark.parametrize("network", ["residual", "operations", "sequential"])
def test_a_network_of_operations_or_in_a_row_shares_a_program(network, tmp_path, own_networks):
    own = own_networks(network)
    reused, fresh = in_reused_and_in_fresh_program(tmp_path, *own)
    assert reused == pytest.approx(fresh, rel=1e-5)


@pytest.mark.parametrize("network", ["name_of_keras", "forgetful_layer"])
def test_a_trial_trains_with_its_own_constants(network, tmp_path, own_networks):
    kept = {}
    losses(tmp_path, kept, *own_networks(network, "k=0.2"), *ONE)
    reused = losses(tmp_path, kept, *own_networks(network, "k=0.9"), *ONE)
    fresh = losses(tmp_path, {}, *own_networks(network, "k=0.9"), *ONE)
    assert reused == pytest.approx(fresh, rel=1e-5)


def test_the_traced_network_has_the_weights_of_the_saved_one_in_their_order(tmp_path, own_networks):
    kept = {}
    losses(tmp_path, kept, *own_networks("residual"))
    (program,) = programs(kept)
    assert [id(weight) for weight in program.model.weights] == [id(weight) for weight in program.net.weights]


@pytest.mark.parametrize(
    "overrides",
    [
        ["dataset.train_size=100", "trainer.batch_size=30"],
        ["dataset.train_size=20", "trainer.batch_size=1"],
        ["trainer.ema=0.9", "trainer.views=2"],
    ],
    ids=lambda overrides: overrides[0],
)
def test_a_program_trains_like_the_stock_layers(overrides, tmp_path, monkeypatch):
    assert_trains_like_the_stock_layers(tmp_path, monkeypatch, "model.filters=4", *overrides)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_trains_like_its_stock_layers(network, tmp_path, monkeypatch):
    small_steps = ["optimizer=sgd", "hparams.lr=1e-4"]  # for large ones make much of the last bit
    assert_trains_like_the_stock_layers(tmp_path, monkeypatch, f"model={network}", *small_steps)


def assert_trains_like_the_stock_layers(tmp_path, monkeypatch, *overrides):
    ours = losses(tmp_path, {}, *overrides)
    monkeypatch.setattr(twins, "is_fused", lambda layer: False)
    monkeypatch.setattr(twins, "has_variable_rate", lambda layer: False)
    assert losses(tmp_path, {}, *overrides) == pytest.approx(ours, rel=1e-4)


@pytest.mark.slow
def test_only_the_most_recent_programs_are_kept(tmp_path):
    kept = {"programs": Programs()}
    for filters in (2, 3, 4, 2, 5, 6):
        losses(tmp_path, kept, f"model.filters={filters}", "trainer.epochs=1")
    assert [program.net.layers[1].filters for program in programs(kept)] == [4, 2, 5, 6]


@pytest.mark.slow
def test_large_networks_leave_room_for_the_next_one(tmp_path):
    kept = {"programs": Programs()}
    kept["programs"].BYTES = 0
    for filters in (2, 3):
        losses(tmp_path, kept, f"model.filters={filters}", "trainer.epochs=1")
    assert [program.net.layers[1].filters for program in programs(kept)] == [3]


def test_what_is_saved_is_made_of_stock_layers_with_the_trials_own_rates(tmp_path):
    kept = {}
    for overrides in (ONE, OTHER):
        losses(tmp_path, kept, "model.filters=4", *overrides)
    net = keras.models.load_model(tmp_path / "model.keras")
    assert all(type(layer).__module__.startswith("keras.src.layers") for layer in net.layers)
    rates = [layer.rate for layer in net.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == pytest.approx([0.1, 0.15, 0.2])


@pytest.mark.slow
def test_a_slots_memory_stays_the_same_over_200_trials(tmp_path):
    kept, sizes = {}, []
    for number in range(200):
        losses(tmp_path, kept, "model.filters=4", f"hparams.lr={1e-4 * (1 + number)}", "trainer.epochs=1")
        sizes.append(psutil.Process().memory_info().rss)
    assert max(sizes[150:]) < 1.03 * max(sizes[:50])
