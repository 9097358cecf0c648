"""A `for` loop of keras.fit over random points: what a course note or a first script does."""

import keras
from given import SEED, TRIALS, compiled, data, fitted

loaded, train, validation = data()
best = 0.0
for trial in TRIALS:
    keras.backend.clear_session()
    keras.utils.set_random_seed(SEED)
    best = max(best, fitted(compiled(loaded, trial), train, validation))
print(best)
