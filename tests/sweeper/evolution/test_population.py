"""Which segment comes next, from whose state it goes on, which states stay, and that a journal is enough to know."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sweeper.errors import ConfigError
from sweeper.evolution import searched
from sweeper.evolution.life import Life
from sweeper.evolution.pbt import PBT
from sweeper.evolution.population import Population
from sweeper.records import lineage
from sweeper.records.record import Trial
from sweeper.search.space import Space
from sweeper.training import checkpoint

TYPED = {"hparams.lr": FloatDistribution(1e-4, 1e-1, log=True)}


def leave(folder, standing):
    """The state of a segment, as its process does."""
    left = lineage.state(folder, standing.member, standing.segment)
    left.mkdir(parents=True)
    checkpoint.write(left, checkpoint.Checkpoint([], [], [], []))


def space(typed=None, groups=()):
    return Space(("seed=3",), TYPED if typed is None else typed, groups, lambda choices: {})


def population(folder, members=4, segments=3, typed=None, **keys):
    of = space(typed)
    life = Life(PBT(members, 1, 0.25, [0.8, 1.25], 0.25), searched.dimensions(of), segments, True, 0, of.overrides)
    return Population(life, folder, **keys)


def place(proposal):
    return lineage.of(proposal.params)


def train(found, folder, proposal, score, state="FINISHED"):
    """Tells it, with its state on the disk. The trial as a journal has it."""
    standing = place(proposal)
    if standing.before:
        assert checkpoint.read(lineage.state(folder, *standing.before)), standing
    if state == "FINISHED":
        leave(folder, standing)
    facts = {lineage.SCORE: score} if state == "FINISHED" else {}
    values = (score,) if state == "FINISHED" else None
    found.tell(proposal.number, state, values, facts)
    return Trial(proposal.number, proposal.params, "", folder / str(proposal.number), state, values, facts=facts)


def states(folder):
    top = folder / lineage.FOLDER
    return sorted(path.name for path in top.iterdir()) if top.exists() else []


def test_all_members_live_all_segments_and_two_states_a_member_are_the_most(tmp_path):
    found, running, most, seen = population(tmp_path), [], 0, []
    for turn in range(100):
        while found.is_ready and len(running) < 2 and len(seen) < found.size:
            running.append(found.ask())
            seen.append(place(running[-1]))
        if not running:
            break
        train(found, tmp_path, running.pop(0), score=turn % 5)
        most = max(most, len(states(tmp_path)))
    assert sorted((one.member, one.segment) for one in seen) == [(m, s) for m in range(4) for s in (1, 2, 3)]
    assert not found.is_ready
    assert most <= 8
    assert any(one.is_copy for one in seen)
    last = [f"{one.member}-3" for one in seen if one.segment == 3]
    assert set(states(tmp_path)) <= set(last)  # of a real training the last segment leaves none


def test_nobody_waits_for_more_than_half_of_a_generation(tmp_path):
    found = population(tmp_path)
    first = [found.ask() for _ in range(4)]
    assert not found.is_ready
    train(found, tmp_path, first[2], 0.5)
    assert not found.is_ready  # it would be compared with nobody
    train(found, tmp_path, first[3], 0.6)
    assert found.is_ready
    assert place(found.ask()) == lineage.Place(2, 2, 3)
    assert place(found.ask()) == lineage.Place(3, 2, 3)
    assert not found.is_ready


def test_who_is_held_back_holds_up_the_others_before_states_fill_the_disk(tmp_path):
    found = population(tmp_path, segments=10)
    slow, told, most = found.ask(), [], 0
    while found.is_ready:
        told.append(found.ask())
        train(found, tmp_path, told[-1], score=len(told) % 5)
        most = max(most, len(states(tmp_path)))
    assert sorted((one.member, one.segment) for one in map(place, told)) == [
        (m, s) for m in (1, 2, 3) for s in (1, 2, 3)
    ]
    train(found, tmp_path, slow, None, state="DIVERGED")  # it goes on from a state that waited for it
    while found.is_ready:
        told.append(found.ask())
        train(found, tmp_path, told[-1], score=len(told) % 5)
        most = max(most, len(states(tmp_path)))
    assert len(told) == found.size - 1
    assert most <= 12


def test_what_else_lies_beside_a_state_stays_and_ends_nothing(tmp_path):
    found = population(tmp_path, members=2)
    for proposal in [found.ask(), found.ask()]:
        train(found, tmp_path, proposal, 0.5)
    stray = lineage.state(tmp_path, 0, 1) / "notes.txt"
    stray.write_text("mine")
    for proposal in [found.ask(), found.ask()]:
        train(found, tmp_path, proposal, 0.5)
    for _ in range(2):
        found.ask()
    assert states(tmp_path) == ["0-1", "0-2", "1-2"]
    assert list(stray.parent.iterdir()) == [stray]


def test_who_is_behind_goes_on_from_the_best_with_other_hyperparameters(tmp_path):
    found = population(tmp_path)
    first = [found.ask() for _ in range(4)]
    for proposal, score in zip(first, (0.1, 0.9, 0.5, 0.4), strict=True):
        train(found, tmp_path, proposal, score)
    second = [found.ask() for _ in range(4)]
    assert [place(one).parent for one in second] == [1, 1, 2, 3]
    assert second[1].params["hparams.lr"] == first[1].params["hparams.lr"]
    assert second[0].params["hparams.lr"] != first[1].params["hparams.lr"]
    assert second[0].overrides[0] == "seed=3"
    assert second[0].overrides[-3:] == ["lineage.member=0", "lineage.segment=2", "lineage.parent=1"]
    assert first[0].overrides[-1] == "lineage.parent=null"


def test_a_journal_is_enough_to_go_on_from(tmp_path):
    one = population(tmp_path)
    journal = [train(one, tmp_path, one.ask(), score) for score in (0.3, 0.2, 0.6, 0.1, 0.7)]
    begun = one.ask()
    journal.append(Trial(begun.number, begun.params, "", tmp_path / "5", "INTERRUPTED"))
    again = population(tmp_path, earlier=journal)
    assert again.begun == [begun]
    for score in (0.5, 0.4, 0.8):
        proposal = one.ask()
        assert again.ask() == proposal
        train(one, tmp_path, proposal, score)
        again.tell(proposal.number, "FINISHED", (score,), {lineage.SCORE: score})


def test_a_resumed_population_draws_what_its_space_has_gained(tmp_path):
    one = population(tmp_path, members=2)
    journal = [train(one, tmp_path, one.ask(), score) for score in (0.3, 0.6)]
    grown = TYPED | {"hparams.dropout": FloatDistribution(0.1, 0.5)}
    again = population(tmp_path, members=2, typed=grown, earlier=journal)
    behind, ahead = again.ask(), again.ask()
    assert (place(behind).parent, place(ahead).parent) == (1, 1)
    assert ahead.params["hparams.lr"] == journal[1].params["hparams.lr"]
    assert all(0.1 <= one.params["hparams.dropout"] <= 0.5 for one in (behind, ahead))


def test_the_state_of_a_segment_that_is_lost_is_deleted(tmp_path):
    found = population(tmp_path, members=2, segments=2)
    first, _ = found.ask(), found.ask()
    leave(tmp_path, place(first))
    found.tell(first.number, "KILLED", None)
    assert states(tmp_path) == []


def test_a_lost_member_takes_over_another_or_waits_for_one(tmp_path):
    found = population(tmp_path, members=2, segments=2)
    first = [found.ask() for _ in range(2)]
    train(found, tmp_path, first[0], None, state="DIVERGED")
    assert not found.is_ready
    train(found, tmp_path, first[1], 0.5)
    assert place(found.ask()) == lineage.Place(0, 2, 1)
    assert place(found.ask()) == lineage.Place(1, 2, 1)


def test_a_population_that_lost_all_is_at_its_end(tmp_path):
    found = population(tmp_path, members=2, segments=2)
    for proposal in [found.ask(), found.ask()]:
        train(found, tmp_path, proposal, None, state="DIVERGED")
    assert not found.is_ready


def test_the_first_members_have_what_was_enqueued(tmp_path):
    found = population(tmp_path, enqueued=[{"hparams.lr": 0.05}])
    assert [found.ask().params["hparams.lr"] == 0.05 for _ in range(3)] == [True, False, False]


RATE, COUNT, WORD = FloatDistribution(0.1, 0.2), IntDistribution(1, 3), CategoricalDistribution(("a", "b"))


@pytest.mark.parametrize(
    ("key", "of"),
    [
        ("model.filters", COUNT),
        ("model.norm", WORD),
        ("trainer.batch_size", WORD),
        ("trainer.epochs", COUNT),
        ("trainer.ema", CategoricalDistribution((None, 0.99))),
        ("optimizer.beta_1", CategoricalDistribution((None, 0.9))),
        ("optimizer.amsgrad", WORD),
        ("seed", COUNT),
        ("+dataset.validation", RATE),
    ],
)
def test_what_decides_a_shape_or_what_a_score_means_is_refused(key, of):
    with pytest.raises(ConfigError, match="cannot be searched by a population"):
        searched.dimensions(space({key: of}))


@pytest.mark.parametrize(
    ("key", "of"),
    [
        ("hparams.dropout", CategoricalDistribution((0, 0.5))),
        ("model.dropout", FloatDistribution(0.0, 0.5, step=0.1)),
        ("optimizer.momentum", CategoricalDistribution((0.0, 0.9))),
    ],
)
def test_what_has_variables_only_above_0_is_never_or_always_0(key, of):
    with pytest.raises(ConfigError, match=f"{key} cannot be 0 for some members .* Leave 0 out"):
        searched.dimensions(space({key: of}))


def test_a_searched_config_group_is_refused():
    with pytest.raises(ConfigError, match=r"the same config groups. Choose one option: model=a"):
        searched.dimensions(space({"model": WORD}, groups=("model",)))


@pytest.mark.parametrize(
    ("key", "of"),
    [
        ("hparams.dropout", RATE),
        ("model.dropout", RATE),
        ("optimizer.beta_1", RATE),
        ("optimizer.beta_1", CategoricalDistribution((0.9, 0.95))),
        ("trainer.ema", RATE),
        ("hparams.dropout", FloatDistribution(0.0, 0.5)),
        ("hparams.dropout", CategoricalDistribution((0,))),
        ("hparams.lr", CategoricalDistribution((0, 0.1))),
        ("schedule.patience", COUNT),
        ("augment.shift", COUNT),
        ("trainer.class_weights", WORD),
    ],
)
def test_mere_numbers_may_differ(key, of):
    assert list(searched.dimensions(space({key: of}))) == [key]
