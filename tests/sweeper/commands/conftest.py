import sys

import pytest

from sweeper import app


@pytest.fixture
def command(monkeypatch, capsys):
    """Types `python -m sweeper WORDS` in this process: its exit code, and what it said."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["sweeper", *words])
        with pytest.raises(SystemExit) as end:
            app.main()
        return end.value.code, capsys.readouterr()

    return run
