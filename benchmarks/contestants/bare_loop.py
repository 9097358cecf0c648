"""A `for` loop of keras.fit: what a course note or a first script does. Prints the best validation accuracy."""

import keras
from given import compiled, data, fitted, trials

loaded, train, validation = data()
best = 0.0
for trial in trials():
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    best = max(best, fitted(compiled(loaded, trial), train, validation))
print(best)
