"""KerasTuner's random search over the same ranges, as many trials. Prints the best validation accuracy."""

import tempfile

import keras_tuner
from given import BATCH, EPOCHS, compiled, data, trials

loaded, train, validation = data()


def build(hp):
    return compiled(
        loaded,
        {
            "lr": hp.Float("lr", 1e-4, 1e-2, sampling="log"),
            "dropout": hp.Float("dropout", 0.1, 0.6),
            "weight_decay": hp.Float("weight_decay", 1e-6, 1e-1, sampling="log"),
        },
    )


with tempfile.TemporaryDirectory() as folder:
    tuner = keras_tuner.RandomSearch(
        build, objective="val_accuracy", max_trials=len(trials()), seed=0, directory=folder, overwrite=True
    )
    tuner.search(*train, batch_size=BATCH, epochs=EPOCHS, validation_data=validation, verbose=0)
    print(tuner.oracle.get_best_trials(1)[0].score)
