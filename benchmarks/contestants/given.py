"""What every contestant trains: the network, the data, the optimizer and the trials of benchmarks/contest.py."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sweeper.data import Dataset
from sweeper.datasets import digits

_file = Path(os.environ["GIVEN"])
_given = json.loads(_file.read_text())
SEED, EPOCHS, COUNT, LEARNS = (_given[key] for key in ("seed", "epochs", "count", "learns"))
RANGES: dict[str, tuple[float, float, bool]] = _given["ranges"]  # from, to, even in the logarithm
TRIALS: list[dict[str, float]] = _given["trials"]  # lr, weight_decay and dropout of each
BATCH, WARM_UP = 64, 0.1


class Arrays(NamedTuple):
    """As numpy into fit."""

    images: np.ndarray  # (N, height, width, channels) float32, z-scored
    labels: np.ndarray  # (N, classes) float32


def data() -> tuple[Dataset, Arrays, Arrays]:
    """With the training and the validation images."""
    loaded = digits.load(seed=SEED)
    train, validation = (
        Arrays(
            (split.images - np.float32(loaded.mean)) / np.float32(loaded.std),
            np.eye(loaded.num_classes, dtype=np.float32)[split.labels],
        )
        for split in (loaded.train, loaded.validation)
    )
    return loaded, train, validation


def compiled(loaded: Dataset, trial: dict[str, float]):
    """The network of model=custom, with the optimizer and schedule of conf/config.yaml."""
    import keras

    from sweeper.models import custom

    steps = EPOCHS * (len(loaded.train) // BATCH)
    climb = round(WARM_UP * steps)
    lr = trial["lr"]
    rate = keras.optimizers.schedules.CosineDecay(lr / climb, steps - climb, warmup_target=lr, warmup_steps=climb)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=trial["weight_decay"])
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    net = custom.build(loaded.input_shape, loaded.num_classes, dropout=trial["dropout"])
    net.compile(optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return net


def fit_keys(train: Arrays, validation: Arrays) -> dict[str, Any]:
    """The arguments of keras.fit."""
    return {
        "x": train.images,
        "y": train.labels,
        "validation_data": validation,
        "batch_size": BATCH,
        "epochs": EPOCHS,
        "callbacks": [told()],
        "verbose": 0,
    }


def told():
    """A callback that tells the contest of each epoch's end and validation accuracy."""
    import keras

    return keras.callbacks.LambdaCallback(on_epoch_end=_tell)


def _tell(epoch: int, logs: dict[str, float]) -> None:
    with open(_file.with_name("epochs.txt"), "a") as file:
        file.write(f"{time.time()} {logs['val_accuracy']}\n")


def fitted(net, train: Arrays, validation: Arrays, *callbacks) -> float:
    """The best validation accuracy of its epochs."""
    keys = fit_keys(train, validation)
    history = net.fit(**keys | {"callbacks": [*keys["callbacks"], *callbacks]})
    return max(history.history["val_accuracy"])
