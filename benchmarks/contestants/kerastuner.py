"""KerasTuner over the same ranges: its Bayesian optimization if it may learn, else its random search."""

import keras
import keras_tuner
from given import COUNT, LEARNS, RANGES, SEED, compiled, data, fit_keys

keras.utils.set_random_seed(SEED)
loaded, train, validation = data()


def build(hp):
    spans = RANGES.items()
    scale = {True: "log", False: "linear"}
    return compiled(loaded, {key: hp.Float(key, low, high, sampling=scale[log]) for key, (low, high, log) in spans})


tuner_of = keras_tuner.BayesianOptimization if LEARNS else keras_tuner.RandomSearch
tuner = tuner_of(build, objective="val_accuracy", max_trials=COUNT, seed=SEED, directory="tuner")
tuner.search(**fit_keys(train, validation))
print(tuner.oracle.get_best_trials(1)[0].score)
