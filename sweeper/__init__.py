"""Hyperparameter sweeps for Keras. In a checkout `conf`, `models` and `datasets` lie beside this package, else in it.

Appending the checkout's root to the package's path gives both the same import names (`sweeper.models.custom`), and no
top-level `datasets` or `models` that would shadow somebody else's.
"""

from pathlib import Path

_root = Path(__file__).resolve().parent.parent
if (_root / "conf" / "config.yaml").is_file() and (_root / "pyproject.toml").is_file():
    __path__.append(str(_root))
