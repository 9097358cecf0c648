"""What all tests share: a place for cached data sets that is gone afterwards."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache_of_data_sets(tmp_path_factory):
    os.environ["SWEEPER_CACHE"] = str(tmp_path_factory.mktemp("cache"))
