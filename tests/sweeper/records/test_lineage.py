"""Where a trial stands, and which ones led to it."""

from pathlib import Path

import pytest

from sweeper.records import lineage
from sweeper.records.lineage import Place
from sweeper.records.record import Trial


def trial(number, member, segment, parent=None):
    params = {"hparams.lr": 0.1, **Place(member, segment, parent).params}
    return Trial(number, params, "", Path(str(number)), "FINISHED", (0.5,))


def test_the_params_of_a_trial_tell_its_place():
    standing = trial(7, 3, 2, parent=5)
    assert lineage.of(standing.params) == Place(3, 2, 5)
    assert lineage.of(standing.params).before == (5, 1)
    assert lineage.of(standing.params).is_copy
    assert lineage.hyperparameters(standing.params) == {"hparams.lr": 0.1}


@pytest.mark.parametrize("params", [{}, {"lineage.member": 1}, {"lineage.member": "../1", "lineage.segment": 1}])
def test_other_trials_have_none(params):
    assert lineage.of(params) is None


def test_a_first_segment_goes_on_from_nobody():
    assert Place(3, 1).before is None
    assert not Place(3, 1).is_copy
    assert not Place(3, 2, 3).is_copy


def test_ancestors_lead_through_other_members():
    trials = [trial(0, 0, 1), trial(1, 1, 1), trial(2, 0, 2, 1), trial(3, 1, 2, 1), trial(4, 1, 3, 0)]
    assert [one.number for one in lineage.ancestors(trials, trials[4])] == [1, 2, 4]
    assert [one.number for one in lineage.ancestors(trials, trials[0])] == [0]
    assert [one.number for one in lineage.ancestors(trials[2:], trials[4])] == [2, 4]
