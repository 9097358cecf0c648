"""Ray Tune over the same trials, one core each. Prints the best validation accuracy."""

import os
import sys
from pathlib import Path

import ray
from given import trials
from ray import tune


def train(config):
    sys.path.insert(0, config["path"])
    import keras
    from given import compiled, data, fitted

    keras.utils.set_random_seed(0)
    loaded, train, validation = data()
    tune.report({"val_accuracy": fitted(compiled(loaded, config["trial"]), train, validation)})


ray.init(num_cpus=len(os.sched_getaffinity(0)), logging_level="error", include_dashboard=False, log_to_driver=False)
space = {"trial": tune.grid_search(trials()), "path": str(Path(__file__).parent)}
tuner = tune.Tuner(
    tune.with_resources(train, {"cpu": 1}),
    param_space=space,
    run_config=tune.RunConfig(verbose=0, storage_path=str(Path.cwd())),
)
print(tuner.fit().get_best_result("val_accuracy", "max").metrics["val_accuracy"])
