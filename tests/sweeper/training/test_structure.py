import pytest

from sweeper.config.compose import composed
from sweeper.training import instances
from sweeper.training.start import prepare
from sweeper.training.structure import of

SMALL = ["dataset=digits", "dataset.train_size=128", "trainer.epochs=2"]
MUON = ["optimizer=muon", "optimizer._target_=keras.optimizers.Muon"]
OWN = ["~optimizer", "+optimizer.learning_rate=${hparams.lr}"]
MOMENTUM, DECIDED = ([*OWN, f"+optimizer._target_=own_networks.{name}"] for name in ("Momentum", "decided"))


def structure_of(*overrides):
    cfg = composed([*SMALL, *overrides])
    start = prepare(cfg, instances.make(cfg, "trainer"))
    return of(cfg, start.parts, start.batches.steps)


@pytest.mark.parametrize(
    "override",
    [
        "model.filters=6",
        "hparams.dropout=0",
        "optimizer=sgd",
        "optimizer.global_clipnorm=1.0",
        "trainer.batch_size=32",
        "trainer.precision=mixed_bfloat16",
        "trainer.precision=mixed_float16",
        "trainer.ema=0.9",
        "trainer.views=2",
        "trainer.class_weights=balanced",
        "trainer.steps_per_execution=1",
        "trainer.jit_compile=true",
    ],
)
def test_another_structure_has_a_program_of_its_own(override):
    assert structure_of("model.filters=4", override) != structure_of("model.filters=4")


@pytest.mark.parametrize(
    "override",
    [
        "hparams.lr=1e-4",
        "hparams.dropout=0.1",
        "hparams.weight_decay=0.1",
        "optimizer.beta_1=0.8",
        "+optimizer.epsilon=1e-4",
        "trainer.epochs=3",
        "trainer.patience=2",
        "trainer.label_smoothing=0.1",
        "trainer.checkpoint=null",
        "schedule=step",
        "augment=light",
        "seed=5",
    ],
)
def test_what_a_program_does_not_hold_is_no_part_of_its_structure(override):
    assert structure_of(override) == structure_of()


def test_any_share_of_averaged_weights_is_one_structure():
    assert structure_of("trainer.ema=0.9") == structure_of("trainer.ema=0.5") != structure_of("trainer.ema=0")


@pytest.mark.parametrize("network", ["residual", "operations", "sequential"])
def test_a_constant_in_a_network_of_keras_own_parts_separates_and_its_dropout_does_not(network, own_networks):
    own = own_networks(network, "k=0.5")
    assert structure_of(*own, "hparams.dropout=0.2") == structure_of(*own, "hparams.dropout=0.3", "seed=1")
    assert structure_of(*own) != structure_of(*own_networks(network, "k=0.6"))


@pytest.mark.parametrize(
    "network",
    [
        "named_function",
        "name_of_keras",
        "nameless_function",
        "function_layer",
        "mapped_function",
        "inner_network",
        "forgetful_layer",
        "attribute",
    ],
)
def test_a_constant_in_a_users_own_part_separates_though_keras_does_not_know_it(network, own_networks):
    structure = structure_of(*own_networks(network, "k=0.5"))
    assert structure == structure_of(*own_networks(network, "k=0.5"), "hparams.lr=0.1")
    assert structure != structure_of(*own_networks(network, "k=0.6"))


def test_what_an_own_part_drew_when_it_was_built_separates(own_networks):
    own = own_networks("drawn")
    assert structure_of(*own, "seed=1") != structure_of(*own, "seed=2")


def test_an_optimizer_that_leaves_out_other_layers_is_another_one():
    muon = structure_of(*MUON, "+optimizer.exclude_layers=[dense]")
    assert muon == structure_of(*MUON, "+optimizer.exclude_layers=[dense]", "hparams.weight_decay=0.3")
    assert muon != structure_of(*MUON, "+optimizer.exclude_layers=[conv]")


@pytest.mark.parametrize(("key", "one", "other"), [("betas", "[0.1]", "[0.9]"), ("gain", "1", "2")])
@pytest.mark.usefixtures("own_networks")
def test_all_numbers_of_a_users_own_optimizer_separate_but_its_learning_rate(key, one, other):
    structure = structure_of(*MOMENTUM, f"+optimizer.{key}={one}")
    assert structure == structure_of(*MOMENTUM, f"+optimizer.{key}={one}", "hparams.lr=0.3")
    assert structure != structure_of(*MOMENTUM, f"+optimizer.{key}={other}")


@pytest.mark.usefixtures("own_networks")
def test_a_function_may_make_one_of_keras_optimizers_by_any_number():
    one, other = (structure_of(*DECIDED, f"+optimizer.weight_decay={number}") for number in (0.1, 0.9))
    assert one != other
