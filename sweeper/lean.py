"""Imported, it imports Keras and TensorFlow in two thirds of their time: before anything else imports one of them.

Keras looks for packages that only its plots, wrappers and data frames use, and importing them takes a second. Here they
are absent while it looks. What imports them later, in the same process, finds them.
"""

import sys

_UNUSED = ("matplotlib", "pandas", "sklearn")

_absent = [name for name in _UNUSED if name not in sys.modules]
sys.modules.update(dict.fromkeys(_absent))  # None: as if it were not installed
try:
    import keras  # noqa: F401
finally:
    for _name in _absent:
        del sys.modules[_name]
