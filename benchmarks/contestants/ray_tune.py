"""Ray Tune, a core a trial: random search under ASHA over the same ranges if it may learn, else the given trials."""

import os
from pathlib import Path

import ray
from given import COUNT, EPOCHS, LEARNS, RANGES, SEED, TRIALS
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import BasicVariantGenerator


def train(config):
    import keras
    from given import LEARNS, SEED, compiled, data, fitted

    def report(epoch, logs):
        tune.report({"val_accuracy": logs["val_accuracy"]})

    keras.utils.set_random_seed(SEED)
    loaded, images, validation = data()
    each_epoch = [keras.callbacks.LambdaCallback(on_epoch_end=report)] if LEARNS else []
    best = fitted(compiled(loaded, config["trial"]), images, validation, *each_epoch)
    if not LEARNS:
        tune.report({"val_accuracy": best})


def ranges():
    return {
        key: tune.loguniform(low, high) if log else tune.uniform(low, high) for key, (low, high, log) in RANGES.items()
    }


ray.init(
    num_cpus=len(os.sched_getaffinity(0)),
    logging_level="error",
    include_dashboard=False,
    log_to_driver=False,
    _temp_dir=str(Path.cwd()),  # it leaves its sessions behind
)
learning = {
    "num_samples": COUNT,
    "scheduler": ASHAScheduler(max_t=EPOCHS),
    "search_alg": BasicVariantGenerator(random_state=SEED),
}
tuner = tune.Tuner(
    tune.with_resources(train, {"cpu": 1}),
    param_space={"trial": ranges() if LEARNS else tune.grid_search(TRIALS)},
    tune_config=tune.TuneConfig(metric="val_accuracy", mode="max", **learning if LEARNS else {}),
    run_config=tune.RunConfig(verbose=0, storage_path=str(Path.cwd())),
)
print(tuner.fit().get_best_result().metrics["val_accuracy"])
