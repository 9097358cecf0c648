"""What each coordinator draws: other trials than the rest, but the cells of a grid in one order, that of the first."""

from __future__ import annotations

import optuna
from optuna.samplers import BaseSampler, GridSampler

from sweeper.search import sampler
from sweeper.search.sampler import Price
from sweeper.search.settings import Settings
from sweeper.search.space import Space
from sweeper.sharing.members import Members

_ORDER = "sweeper.order"  # of the study: the seed of the order that a grid is gone through in
_APART = 1_000_003  # between the seeds of two coordinators: more than a study has trials


def reseeded(
    study: optuna.Study, members: Members, settings: Settings, space: Space, price: Price | None
) -> BaseSampler:
    """The sampler of this coordinator. price: as of `sampler.build`."""
    order = _order(study, members, settings) if isinstance(study.sampler, GridSampler) else None
    drawn = (len(study.get_trials(deepcopy=False)) + _APART * members.me) % 2**31
    return sampler.build(settings, space, drawn, price, order)[0]


def _order(study: optuna.Study, members: Members, settings: Settings) -> int:
    with members.turn():
        order = study.user_attrs.get(_ORDER)
        if order is None:
            order = settings.sampler.get("seed") or 0
            study.set_user_attr(_ORDER, order)
    return order
