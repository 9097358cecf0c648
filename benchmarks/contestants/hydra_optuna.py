"""Hydra's Optuna sweeper over the same ranges, each trial a run in MLflow: TPE if it may learn, else random search."""

import sys

import hydra
import keras
import mlflow
from given import COUNT, LEARNS, RANGES, SEED, compiled, data, fitted
from hydra.core.config_store import ConfigStore

SAMPLER = "tpe" if LEARNS else "random"
ConfigStore.instance().store(
    "config",
    {"defaults": [{"override hydra/sweeper": "optuna"}, {"override hydra/sweeper/sampler": SAMPLER}], "trial": {}},
)
loaded, train, validation = data()


def ranges():
    for key, (low, high, log) in RANGES.items():
        yield f"+trial.{key}=tag(log, interval({low}, {high}))" if log else f"+trial.{key}=interval({low}, {high})"


@hydra.main(version_base="1.3", config_name="config")
def main(config):
    keras.backend.clear_session()
    keras.utils.set_random_seed(SEED)
    with mlflow.start_run():
        mlflow.log_params(dict(config.trial))
        to_mlflow = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: mlflow.log_metrics(logs, epoch))
        return fitted(compiled(loaded, config.trial), train, validation, to_mlflow)


if __name__ == "__main__":
    keys = {"n_trials": COUNT, "direction": "maximize", "sampler.seed": SEED}
    sys.argv += ["-m", *ranges(), *(f"hydra.sweeper.{key}={value}" for key, value in keys.items())]
    main()
