import time
from datetime import datetime, timedelta

import pytest

from sweeper.engine.limits import Limits
from sweeper.errors import ConfigError
from sweeper.search.settings import Settings


def limits(**keys):
    return Limits(Settings(sampler=None, pruner=None, executor=None, **keys))


def test_without_a_limit_nothing_ends():
    unlimited = limits()
    assert unlimited.may_start()
    assert not unlimited.is_over()
    assert unlimited.left is None


def test_a_time_of_day_is_the_next_such_one():
    minutes_ago = datetime.now().astimezone() - timedelta(minutes=5)
    deadline = datetime.fromtimestamp(limits(deadline=f"{minutes_ago:%H:%M}").deadline).astimezone()
    assert deadline == (minutes_ago + timedelta(days=1)).replace(second=0, microsecond=0)


def test_a_zone_is_understood():
    assert limits(deadline="2100-01-01T00:00+00:00").deadline == 4102444800


def test_a_deadline_keeps_back_what_the_longest_epoch_took():
    some = limits(deadline=(datetime.now() + timedelta(hours=1)).isoformat())
    before = some.search_end
    some.heard(50.0)
    some.heard(20.0)
    assert some.search_end == before - 50


def test_nothing_is_waited_for_beyond_the_deadline():
    assert limits().wait(60) == 60
    assert limits(deadline=(datetime.now() + timedelta(hours=1)).isoformat()).wait(60) == 60
    assert 30 < limits(deadline=(datetime.now() + timedelta(seconds=40)).isoformat()).wait(60) <= 35


def test_the_nearest_limit_counts():
    both = limits(deadline=(datetime.now() + timedelta(hours=1)).isoformat(), timeout=60)
    assert 50 < both.left <= 60
    assert both.may_start()


def test_after_a_timeout_nothing_starts_but_what_runs_goes_on():
    short = limits(timeout=0.01)
    time.sleep(0.02)
    assert not short.may_start()
    assert not short.is_over()


def test_a_deadline_without_time_for_the_end_is_refused():
    with pytest.raises(ConfigError, match="the end of a sweep takes 30 seconds"):
        limits(deadline=(datetime.now() + timedelta(seconds=20)).isoformat())
