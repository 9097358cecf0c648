"""How large the network of a trial is, counted without its weights: nothing is drawn, and nothing trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from sweeper.files import costs
from sweeper.training import instances
from sweeper.training.trainer import Trainer

if TYPE_CHECKING:
    import keras

NAMES = ("parameters", "mflops")


def of(network: keras.Model, trainer: Trainer) -> dict[str, float]:
    """Number of parameters; millions of operations for one image."""
    return dict(zip(NAMES, (network.count_params(), costs.mflops(network) * trainer.views), strict=True))


def count(cfg: DictConfig, allow: Sequence[str] = ()) -> dict[str, float]:
    """What the trial of `cfg` will tell, in a third of the time that its network takes to be made.

    For a process that trains nothing: Keras forgets what it has built before.
    Raises: as `instances.make`, and whatever the network's own function does.
    """
    import keras

    trainer, data = instances.make(cfg, "trainer", allow), instances.dataset(cfg, allow)
    keras.backend.clear_session()
    with keras.StatelessScope(initialize_variables=False):
        return of(instances.network(cfg, data.input_shape, data.num_classes, allow), trainer)
