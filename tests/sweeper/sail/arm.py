"""An arm of six joints (Cully et al. 2015): costs nothing, and what its best for each place is, is known.

Genes are the joints' angles; the arm that bends its joints alike is best; the map is of where its hand is.
"""

import numpy as np
import optuna
from optuna.distributions import FloatDistribution

from sweeper.sail.descriptor import Descriptor
from sweeper.sail.sampler import SAILSampler

JOINTS = [f"joint_{number}" for number in range(6)]
SPACE = {name: FloatDistribution(0, 1) for name in JOINTS}


def value(params):
    return -float(np.std([params[name] for name in JOINTS]))


def hand(trials):
    """Hyperparameters of n trials -> (n, 2) in -1..1."""
    joints = np.array([[params[name] for name in JOINTS] for params in trials])
    angles = np.cumsum((joints - 0.5) * 2 * np.pi, axis=1)
    return np.stack([np.cos(angles).mean(axis=1), np.sin(angles).mean(axis=1)], axis=1)


def descriptors(*, exact=True):
    across, up = (lambda trials: hand(trials)[:, 0]), (lambda trials: hand(trials)[:, 1])
    return [
        Descriptor("across", -1, 1, bins=8, fn=across if exact else None),
        Descriptor("up", -1, 1, bins=8, fn=up if exact else None),
    ]


def sampler(*, exact=True, seed=0, **settings):
    settings = {"search_space": SPACE, "n_generations": 20, "n_children": 64, "batch_size": 4} | settings
    return SAILSampler(descriptors(exact=exact), seed=seed, **settings)


def ask(study):
    trial = study.ask()
    params = {name: trial.suggest_float(name, 0, 1) for name in JOINTS}
    return trial, params


def search(study, trials):
    for _ in range(trials):
        trial, params = ask(study)
        across, up = hand([params])[0]
        trial.set_user_attr("across", float(across))
        trial.set_user_attr("up", float(up))
        study.tell(trial, value(params))


def study(drawing, **settings):
    return optuna.create_study(direction="maximize", sampler=drawing, **settings)
