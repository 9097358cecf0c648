"""Imported, it imports Keras and TensorFlow in two thirds of their time: before anything else imports one of them.

Keras looks for packages that only its plots, wrappers and data frames use, and importing them takes a second. Here they
are absent while it looks, for this thread alone. What imports them later finds them.
"""

import sys
from importlib.abc import MetaPathFinder
from threading import get_ident

from sweeper.machine.quiet import STDERR, silence

_UNUSED = ("matplotlib", "pandas", "sklearn")


class _Absence(MetaPathFinder):
    def __init__(self):
        self._thread = get_ident()

    def find_spec(self, name, path=None, target=None):
        if name in _UNUSED and get_ident() == self._thread:
            raise ModuleNotFoundError(name)


_absence = _Absence()
sys.meta_path.insert(0, _absence)
try:
    with silence(STDERR):  # TensorFlow tells each process which instructions it uses, whatever it is asked
        import keras  # noqa: F401
finally:
    sys.meta_path.remove(_absence)
