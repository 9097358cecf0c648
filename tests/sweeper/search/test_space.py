"""What a user types is what Optuna draws from, and what Optuna draws is what Hydra reads."""

from functools import partial

import optuna
import pytest
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString, Transformer
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sweeper import plugin
from sweeper.config.compose import of_sweep
from sweeper.errors import ConfigError
from sweeper.search import distribution, space


@pytest.fixture
def hydra():
    plugin.register()
    with initialize_config_module("sweeper.conf", version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def build(loader, *arguments, params=None, spaces=None):
    def composed(overrides):
        return compose("config", overrides)

    return space.build(arguments, params, spaces or ["model", "hparams"], loader, composed)


def build_schedules(loader, *arguments):
    """As `-m hparams=search_schedule` does, whose file sets hydra.sweeper."""
    settings = compose("config", ["hparams=search_schedule"], return_hydra_config=True).hydra.sweeper
    return build(loader, "hparams=search_schedule", *arguments, params=settings.params, spaces=settings.spaces)


def draw(searched, **values):
    """The overrides of the trial in which the sampler chose `values`; everything else comes from a seeded sampler."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial({key.replace("__", "."): value for key, value in values.items()})
    return searched.overrides(searched.suggest(study.ask()))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("interval(1, 4)", FloatDistribution(1.0, 4.0)),
        ("int(interval(1, 4))", IntDistribution(1, 4)),
        ("tag(log, interval(1e-4, 1e-1))", FloatDistribution(1e-4, 1e-1, log=True)),
        ("tag(log, int(interval(1, 8)))", IntDistribution(1, 8, log=True)),
        ("range(1, 4)", IntDistribution(1, 3)),
        ("range(0, 10, 4)", IntDistribution(0, 8, step=4)),
        ("range(4, 0, -2)", IntDistribution(2, 4, step=2)),
        ("range(0, 1, 0.25)", FloatDistribution(0, 0.75, step=0.25)),
        ("float(range(1, 4))", FloatDistribution(1, 3, step=1)),
        ("int(range(1.0, 4.0))", IntDistribution(1, 3)),
        ("shuffle(range(1, 4))", {1, 2, 3}),
        ("choice(8, 16)", {8, 16}),
        ("a,b,c", {"a", "b", "c"}),
        ("shuffle(a, b)", {"a", "b"}),
        ("1e-3,null,true,'a,b'", {0.001, None, True, "a,b"}),
        ("[1,2],[3]", {"[1,2]", "[3]"}),
    ],
)
def test_an_override_becomes_a_distribution(typed, expected):
    made = distribution.distribution(OverridesParser.create().parse_override(f"x={typed}"))
    if isinstance(expected, set):
        assert isinstance(made, CategoricalDistribution)
        assert set(made.choices) == expected
    else:
        assert made == expected


def test_a_glob_chooses_among_the_files_of_a_group(hydra):
    made = build(hydra, "optimizer=glob(ada*)").typed["optimizer"]
    assert set(made.choices) >= {"adam", "adamw"}
    assert "sgd" not in made.choices


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ("interval(4, 1)", r"interval\(4.0, 1.0\) is empty.*interval\(1.0, 4.0\)"),
        ("range(4, 1)", "is empty: the stop is excluded"),
        ("tag(log, interval(0, 1))", "needs low > 0, got 0"),
        ("tag(log, range(1, 9, 2))", "has no step"),
        ("interval(1", "cannot be read"),
    ],
)
def test_a_bad_range_is_named_with_what_to_do(hydra, typed, complaint):
    with pytest.raises(ConfigError, match=complaint):
        build(hydra, f"hparams.lr={typed}")


TEXTS = [
    "a,b",
    "it's",
    "None",
    "1e-3",
    "{x}",
    "[1,2]",
    "'[x",
    "",
    " a ",
    "a=b",
    "back\\slash",
    "ü",
    "$x",
    "true",
    "NaN",
    "inf",
    "a-b_1",
]


@pytest.mark.parametrize("value", [*TEXTS, None, True, False, 3, 1e-05, 0.1, -2.5, [1, "a b"], {"a": 1}])
def test_a_drawn_category_comes_back_from_hydra_as_it_was(value):
    typed = QuotedString(value, Quote.single).with_quotes() if isinstance(value, str) else Transformer.str(value)
    parser = OverridesParser.create()
    category = distribution.distribution(parser.parse_override(f"key={typed},0")).choices[0]
    back = parser.parse_override(distribution.override("key", category)).value()
    assert back == value
    assert type(back) is type(value)


def test_the_space_of_a_chosen_config_group_is_searched(hydra):
    assert set(build(hydra, "hparams=search").unconditional()) == {
        "hparams.lr",
        "hparams.dropout",
        "hparams.weight_decay",
    }


def test_only_the_groups_named_in_spaces_bring_their_ranges(hydra):
    assert "schedule.warmup" not in build(hydra, "hparams=search").unconditional()
    assert "schedule.warmup" in build(hydra, "hparams=search", spaces=["hparams", "schedule"]).unconditional()


def test_an_absolute_key_is_an_options_own_range_of_another_groups_key(hydra):
    searched = build(hydra, "hparams=search", "optimizer=sgd", spaces=["hparams", "optimizer"])
    assert searched.unconditional()["hparams.lr"] == FloatDistribution(1e-2, 0.5, log=True)
    assert searched.unconditional()["hparams.dropout"] == FloatDistribution(0.1, 0.6)


@pytest.mark.parametrize("lr", ["1e-3", "interval(1, 2)"])
def test_a_typed_value_wins_over_an_options_own_range(hydra, lr):
    searched = build(hydra, "hparams=search", "optimizer=sgd", f"hparams.lr={lr}", spaces=["hparams", "optimizer"])
    assert searched.unconditional().get("hparams.lr") == (FloatDistribution(1, 2) if "(" in lr else None)


def test_search_schedule_draws_an_optimizer_and_a_schedule_with_the_ranges_of_each(hydra):
    searched = build_schedules(hydra)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [study.ask() for _ in range(60)]
    for trial in drawn:
        searched.suggest(trial)
    for trial in drawn:
        optimizer, schedule = trial.params["optimizer"], trial.params["schedule"]
        assert f"hparams.lr@{optimizer}" in trial.params
        assert (f"schedule.warmup@{schedule}" in trial.params) == (schedule == "cosine")
        assert (f"schedule.patience@{schedule}" in trial.params) == (schedule == "plateau")
    assert len({trial.params["optimizer"] for trial in drawn}) == 7
    assert len({trial.params["schedule"] for trial in drawn}) == 5


def build_architectures(*typed):
    """As `-m hparams=search_architecture` does, whose file sets hydra.sweeper."""
    context, config = of_sweep(["hparams=search_architecture", *typed])
    loader, asked = context.config_loader, config.hydra.sweeper
    compose_trial = partial(loader.load_sweep_config, config)
    return space.build(["hparams=search_architecture", *typed], asked.params, asked.spaces, loader, compose_trial)


@pytest.mark.parametrize("typed", [["model=custom"], []], ids=["typed", "default"])
def test_search_architecture_draws_width_depth_kernel_and_growth_with_the_rates(typed):
    dimensions = build_architectures(*typed).unconditional()
    architecture = {f"model.{key}" for key in ("filters", "blocks", "convolutions", "kernel", "growth", "stride")}
    assert set(dimensions) == architecture | {"hparams.lr", "hparams.dropout", "hparams.weight_decay"}
    assert dimensions["hparams.dropout"].low == 0
    assert dimensions["model.filters"].log


@pytest.mark.slow
@pytest.mark.parametrize("hparams", ["search", "search_schedule"])
def test_no_other_search_draws_an_architecture(hydra, hparams):
    settings = compose("config", [f"hparams={hparams}"], return_hydra_config=True).hydra.sweeper
    searched = build(hydra, f"hparams={hparams}", "model=custom,resnet", params=settings.params, spaces=settings.spaces)
    assert not [name for name in searched.union() if name.startswith("model.")]


def test_a_trial_draws_the_architecture_of_its_own_network():
    searched = build_architectures("model=custom,hierarchy,resnet")
    assert {"model.growth@custom", "model.refinements@hierarchy", "model.depth@resnet"} <= set(searched.union())
    for model, own, others in (("hierarchy", "refinements", "blocks"), ("resnet", "depth", "refinements")):
        keys = [override.partition("=")[0] for override in draw(searched, model=model)]
        assert f"model.{own}" in keys
        assert f"model.{others}" not in keys


def test_a_network_without_ranges_of_its_architecture_is_searched_as_ever():
    assert set(build_architectures("model=ownnet1").unconditional()) == set(build_architectures().unconditional()) - {
        f"model.{key}" for key in ("filters", "blocks", "convolutions", "kernel", "growth", "stride")
    }


def test_a_typed_range_or_value_wins_over_that_of_an_architecture():
    dimensions = build_architectures("model.filters=int(interval(5, 6))", "model.kernel=3").unconditional()
    assert dimensions["model.filters"] == IntDistribution(5, 6)
    assert "model.kernel" not in dimensions


def test_a_project_gives_ranges_of_its_own_networks_architecture(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text(
        "width: 8\nrings: 2\nspace:\n  rings: choice(2, 3)\n"
        "  architecture: {width: 'int(interval(4, 64))', /hparams.dropout: 'interval(0.7, 0.8)'}\n"
        "  more: {width: choice(1, 2)}\n"
    )
    dimensions = build_architectures(f"hydra.searchpath=[file://{tmp_path}]", "model=mine").unconditional()
    assert dimensions["model.width"] == IntDistribution(4, 64)
    assert dimensions["hparams.dropout"] == FloatDistribution(0.7, 0.8)
    assert "model.rings" in dimensions


@pytest.mark.parametrize(
    ("spaces", "keys"),
    [
        (None, {"rings"}),
        (["model"], {"rings"}),
        (["model.more"], {"width"}),
        (["model", "model.more", "model.architecture"], {"rings", "width", "depth"}),
        (["model.rings", "model.nothing", "other.more"], set()),
    ],
)
def test_a_part_of_a_space_is_searched_where_it_is_named(hydra, spaces, keys):
    parts = {"rings": "choice(2, 3)", "more": {"width": "choice(1, 2)"}, "architecture": {"depth": "choice(1, 2)"}}
    config = OmegaConf.create({"model": {"space": parts}})
    searched = space.build(["seed=1,2"], None, spaces, hydra, lambda _: config).unconditional()
    assert set(searched) == {"seed", *(f"model.{key}" for key in keys)}


@pytest.mark.parametrize(
    ("typed", "sampler", "trials"),
    [([], "SAILSampler", 100), (["hydra/sweeper/sampler=tpe", "hydra.sweeper.n_trials=7"], "TPESampler", 7)],
)
def test_search_architecture_fills_a_map_unless_another_sampler_is_typed(typed, sampler, trials):
    _, config = of_sweep(["hparams=search_architecture", *typed])
    assert config.hydra.sweeper.sampler._target_.endswith(sampler)
    assert config.hydra.sweeper.n_trials == trials


def test_a_fixed_optimizer_leaves_search_schedule_its_own_ranges(hydra):
    searched = build_schedules(hydra, "optimizer=lion", "schedule=step")
    assert set(searched.unconditional()) == {
        "hparams.lr",
        "hparams.weight_decay",
        "hparams.dropout",
        "schedule.factor",
    }


def test_the_overrides_of_a_trial_name_the_key_and_not_the_option(hydra):
    overrides = draw(build_schedules(hydra), optimizer="muon", schedule="cosine")
    keys = [override.split("=")[0] for override in overrides]
    assert {"optimizer", "schedule", "hparams.lr", "schedule.warmup"} <= set(keys)
    assert len(keys) == len(set(keys))


def test_the_command_line_wins_over_params_and_params_over_a_groups_space(hydra):
    searched = build(
        hydra,
        "hparams=search",
        "hparams.lr=interval(1, 2)",
        params={"hparams.lr": "interval(3, 4)", "hparams.dropout": "interval(0, 0.5)"},
    )
    dimensions = searched.unconditional()
    assert dimensions["hparams.lr"] == FloatDistribution(1, 2)
    assert dimensions["hparams.dropout"] == FloatDistribution(0, 0.5)
    assert "hparams.weight_decay" in dimensions


def test_a_constant_takes_its_dimension_out_of_the_search(hydra):
    searched = build(hydra, "hparams=search", "hparams.lr=0.01")
    assert "hparams.lr" not in searched.unconditional()
    assert "hparams.lr=0.01" in draw(searched)


def test_a_dimension_of_a_group_exists_only_while_its_option_is_chosen(hydra):
    searched = build(hydra, "hparams=default,search")
    assert len(draw(searched, hparams="default")) == 1
    assert len(draw(searched, hparams="search")) == 4


def test_the_grid_refuses_dimensions_that_come_and_go(hydra):
    with pytest.raises(ConfigError, match="grid needs one space for all trials"):
        build(hydra, "hparams=default,search").unconditional()


def test_the_grid_takes_options_that_bring_nothing_of_their_own(hydra):
    searched = build(hydra, "model=custom,hierarchy", "seed=0,1").unconditional()
    assert set(searched) == {"model", "seed"}
    assert {"model", "hparams.lr"} < set(build(hydra, "model=custom,hierarchy", "hparams=search").unconditional())


def test_a_sweep_without_a_range_is_refused(hydra):
    with pytest.raises(ConfigError, match=r"nothing to search.*hparams=search"):
        build(hydra, "hparams.lr=0.1")


def test_hydras_own_overrides_are_not_searched(hydra):
    assert set(build(hydra, "hydra.sweeper.n_trials=3", "seed=1,2").typed) == {"seed"}
