"""Hydra's Optuna sweeper, random search over the same ranges, each trial a run in MLflow. Prints the best accuracy."""

import sys

import hydra
import keras
import mlflow
from given import compiled, data, fitted, trials
from hydra.core.config_store import ConfigStore

ConfigStore.instance().store(
    "config",
    {"defaults": [{"override hydra/sweeper": "optuna"}, {"override hydra/sweeper/sampler": "random"}], "trial": {}},
)
RANGES = [
    "+trial.lr=tag(log, interval(1e-4, 1e-2))",
    "+trial.dropout=interval(0.1, 0.6)",
    "+trial.weight_decay=tag(log, interval(1e-6, 1e-1))",
]
loaded, train, validation = data()
reached = []


@hydra.main(version_base="1.3", config_name="config")
def main(config):
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    with mlflow.start_run():
        mlflow.log_params(dict(config.trial))
        to_mlflow = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: mlflow.log_metrics(logs, epoch))
        reached.append(fitted(compiled(loaded, config.trial), train, validation, [to_mlflow]))
    return reached[-1]


if __name__ == "__main__":
    sys.argv += ["-m", *RANGES, f"hydra.sweeper.n_trials={len(trials())}", "hydra.sweeper.direction=maximize"]
    main()
    print(max(reached))
