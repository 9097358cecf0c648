from functools import partial

import pytest

from ..ranking.test_atlas import sized


@pytest.fixture
def typed(command):
    return partial(command, "map")


def test_a_sweep_has_a_map_of_its_elites_in_its_folder(typed, write_sweep):
    folder = write_sweep("monday", ("FAILED",))
    sized(folder, 30)
    code, said = typed()
    assert not code
    *rows, last = said.out.splitlines()
    assert last == f"{len(rows)} of 64 cells have an elite -> {folder / 'map.png'}"
    assert all(row.count("\t") == 4 for row in rows)
    assert (folder / "map.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--bins", "0"], "--bins 0: give a number from 1 to 50"),
        (["--by", "seconds"], "No finished trial of sweep monday tells seconds"),
        (["--out", "nowhere/map.png"], "--out nowhere/map.png"),
        (["--sweep", "tuesday"], "No sweep is called tuesday"),
    ],
)
def test_what_cannot_be_drawn_is_said(words, told, typed, write_sweep):
    sized(write_sweep("monday", ("FAILED",)), 3)
    code, said = typed(*words)
    assert code == 2
    assert told in said.err
