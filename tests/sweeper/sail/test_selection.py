"""Which candidates are trained next, on the arm."""

import numpy as np
import pytest

from sweeper.errors import ConfigError
from sweeper.sail import descriptor
from sweeper.sail.selection import Selection

from .arm import ask, descriptors, hand, sampler, search, study


def costs(params):
    across, up = hand([params])[0]
    return {"across": float(across), "up": float(up), "weight": 3.0}


def begun(**settings):
    found = study(sampler(exact=False, **settings))
    search(found, 20)
    return found


def test_a_proposal_knows_its_costs_while_it_runs():
    found = begun(costs=costs)
    _, params = ask(found)
    assert found.trials[-1].user_attrs == {name: value for name, value in costs(params).items() if name != "weight"}


def test_costs_that_nothing_tells_are_left_to_the_training():
    found = begun(costs=lambda params: {})
    ask(found)
    assert found.trials[-1].user_attrs == {}


def test_they_are_asked_about_few_candidates_only():
    asked = []
    found = begun(costs=lambda params: asked.append(params) or costs(params))
    asked.clear()
    search(found, 8)  # two batches of four
    assert 8 <= len(asked) <= 2 * 3 * 4


@pytest.mark.parametrize("best", [True, False])
def test_a_candidate_is_judged_in_the_cell_that_its_costs_put_it_in(best):
    """All cost what one trial does: the cell of the worst one is easily improved, that of the best one is hardly."""
    found = begun(costs=costs)
    trial = sorted(found.trials, key=lambda trial: trial.value)[-1 if best else 0]
    sampling = sampler(exact=False, costs=lambda params: costs(trial.params))
    known, model = sampling.surrogate(found)
    rng = np.random.default_rng(0)
    drawn = list(sampling._selection.of(sampling.illuminated(known, model, 1.0, rng), known, model, rng))
    assert all(candidate.costs.keys() == {"across", "up"} for candidate in drawn)
    if not best:
        assert len(drawn) == 4
    for candidate in drawn:
        mean, deviation = model.value.predict_with_deviation(model.genome.features(candidate.genes[None]))
        assert mean + 6 * deviation > trial.value


def test_what_its_costs_put_beyond_the_map_is_not_trained():
    beyond = {"across": 5.0, "up": 0.0}
    found = begun(costs=lambda params: beyond)
    ask(found)
    assert "across" not in found.trials[-1].user_attrs  # one of the even sequence instead


def test_the_way_of_the_paper_spreads_over_the_map():
    found = study(sampler(exact=True, selection="sobol", batch_size=8, seed=1))
    search(found, 24)
    known, model = found.sampler.surrogate(found)
    rng = np.random.default_rng(0)
    drawn = list(found.sampler._selection.of(found.sampler.illuminated(known, model, 1.0, rng), known, model, rng))
    genes = np.stack([candidate.genes for candidate in drawn])
    cells = descriptor.cells(descriptors(), model.scaled(genes, model.genome.features(genes)))
    assert 4 <= len(set(cells.tolist())) == len(drawn) <= 8


def test_a_way_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match=r"selection=best: give gain or sobol"):
        Selection("best", 1, False, None)


def test_where_a_trial_lands_is_told_by_chances_that_sum_to_all_of_them():
    """Over all cells of a map and what is beyond it; of a descriptor that is known there is no doubt."""
    found = begun()
    _, model = found.sampler.surrogate(found)
    features = model.genome.features(np.random.default_rng(3).random((1, 6)))
    cells = np.arange(64)
    chances = model.landing(np.repeat(features, 64, axis=0), cells)
    assert 0.5 < chances.sum() <= 1
    across = model.landing(np.repeat(features, 8, axis=0), cells[::8], known=["up"])
    assert chances.sum() < across.sum() <= 1
    assert (model.landing(np.repeat(features, 64, axis=0), cells, known=["across", "up"]) == 1).all()
