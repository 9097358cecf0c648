"""What every contestant of benchmarks/sweep.py trains: the network, the data, the optimizer and twelve trials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sweeper.data import Dataset
from sweeper.datasets import digits

EPOCHS, BATCH, WARM_UP = 8, 64, 0.1


class Arrays(NamedTuple):
    """As numpy into fit."""

    images: np.ndarray  # (N, height, width, channels) float32, z-scored
    labels: np.ndarray  # (N, classes) float32


def trials() -> list[dict[str, float]]:
    """lr, dropout and weight_decay of each."""
    return json.loads(Path("trials.json").read_text())


def data() -> tuple[Dataset, Arrays, Arrays]:
    """With the training and the validation images."""
    loaded = digits.load(seed=0)
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


def fitted(net, train: Arrays, validation: Arrays, callbacks=()) -> float:
    """The best validation accuracy of its epochs."""
    history = net.fit(
        *train, batch_size=BATCH, epochs=EPOCHS, validation_data=validation, verbose=0, callbacks=list(callbacks)
    )
    return max(history.history["val_accuracy"])
