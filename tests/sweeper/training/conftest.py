from pathlib import Path

import pytest

from sweeper.config import allowed


@pytest.fixture
def own_networks(monkeypatch):
    """Importable and permitted, as a user's own module: a function from one of its names to overrides for it."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setattr(allowed, "typed", lambda: ("own_networks.",))

    def network(name: str, *keys: str) -> list[str]:
        keys = ("dropout=${hparams.dropout}", *keys)
        return ["~model", f"+model._target_=own_networks.{name}", *(f"+model.{key}" for key in keys)]

    return network
