"""The two scripts of a page, ours and Plotly, and the hashes by which a browser knows that it may run them."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

TEMPLATES = Path(__file__).parent / "html"
OURS = ("report.js", "board.js", "parallel.js", "charts.js")  # one script in four files
_FACTORY = {  # how Plotly begins and ends, and the same with parentheses
    '(typeof self !== "undefined" ? self : this, () => {': '(typeof self !== "undefined" ? self : this, (() => {',
    "return Plotly;\n}));": "return Plotly;\n})));",
}


def both() -> list[str]:
    """As a browser reads them."""
    from plotly.offline import get_plotlyjs

    ours = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in OURS)
    return [_read(ours), eager(_read(get_plotlyjs()))]


def eager(plotly: str) -> str:
    """With parentheses around the function that is all of Plotly. Without them V8 takes it for one that is called
    later: it skims through five megabytes, and then parses them again. A text that is not as expected stays as it is.
    """
    if any(plotly.count(part) != 1 for part in _FACTORY):
        return plotly
    for part, enclosed in _FACTORY.items():
        plotly = plotly.replace(part, enclosed)
    return plotly


def digest(script: str) -> str:
    """As a Content-Security-Policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _read(words: str) -> str:
    return words.replace("\r\n", "\n").replace("\r", "\n")
