"""Where the trials of a sweep come from: a population, a study of its own, or one that other sweeps share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from rich.console import Console

from sweeper.engine.pricing import Pricing
from sweeper.engine.stopping import Stopping
from sweeper.evolution.population import Population
from sweeper.records.record import Sweep
from sweeper.search import asked, storage
from sweeper.search.sampler import Price
from sweeper.search.study import Study
from sweeper.sweep.request import Request
from sweeper.training import size


@contextmanager
def opened(request: Request, earlier: Sweep | None, work: bytes, stopping: Stopping) -> Iterator[Study | Population]:
    """With a process that counts networks beforehand, if its sampler wants to know.

    earlier: what is resumed. work: a pickled `slot.Work`. Raises: as `Population`, `Study` and `SharedStudy`.
    """
    with ExitStack() as stack:
        price = None
        if _wants_prices(request):
            preload = request.settings.executor.get("preload") or ()
            price = stack.enter_context(closing(Pricing(work, request.logs, preload, stopping))).ask
        yield stack.enter_context(closing(_source(request, earlier, price, stopping)))


def _wants_prices(request: Request) -> bool:
    """Of networks whose making is known: an extension may change what they are made of."""
    is_known = request.is_ours and not request.extend
    return is_known and bool(set(asked.axes(request.config)) & set(size.NAMES))


def _source(request: Request, earlier: Sweep | None, price: Price | None, stopping: Stopping) -> Study | Population:
    settings, space, folder = request.settings, request.space, request.folder
    if request.life:
        Console(highlight=False).print(request.life.sentence, soft_wrap=True)
        return Population(request.life, folder, enqueued=request.enqueued, earlier=earlier.trials if earlier else ())
    known = {"enqueued": request.enqueued, "extend": request.extend, "price": price}
    known |= {"earlier": earlier.trials if earlier else None}
    if not storage.is_database(settings.storage):
        return Study(settings, space, folder, **known)
    from sweeper.sharing.shared_study import SharedStudy  # with all that talks to databases

    def is_over() -> bool:
        return stopping.requested or request.limits.is_over()

    return SharedStudy(settings, space, folder, is_over=is_over, **known)
