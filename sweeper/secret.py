"""What must not reach a file, a log or a screen: passwords and tokens in the addresses of servers and databases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

HIDDEN = "***"
_ADDRESS = re.compile(r"""(?P<scheme>[\w+.-]+)://(?P<user>(?:(?!://)[^\s"])*)@""")  # up to its last @
_PORT = re.compile(r"\d*/")
_KEY = re.compile(
    r"""(?<=[?&;\#])((?:[\w.%-]*(?:pass|pwd|secret|token|key|cred|auth|sig)[\w.%-]*|odbc_connect)=)[^\s&;\#"']+""",
    re.IGNORECASE,
)


def without_credentials(text: str) -> str:
    """`http://user:secret@host/?token=abc` as `http://***@host/?token=***`, anywhere in a text."""
    if "://" not in text:
        return text
    return _KEY.sub(rf"\1{HIDDEN}", _ADDRESS.sub(_without_user, text))


def hide(value: Any) -> Any:
    """The same, in all texts of a value."""
    match value:
        case str():
            return without_credentials(value)
        case dict():
            return {key: hide(part) for key, part in value.items()}
        case list() | tuple():
            return type(value)(hide(part) for part in value)
    return value


def hide_in_output(hydra: DictConfig) -> None:
    """In what Hydra has written into `.hydra` of a job: its config with all that was typed. hydra: the job's node."""
    for file in Path(hydra.runtime.output_dir, hydra.output_subdir or ".hydra").glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        if (hidden := without_credentials(text)) != text:
            file.write_text(hidden, encoding="utf-8")


def _without_user(address: re.Match[str]) -> str:
    """A slash ends where a user can stand, but SQLAlchemy takes passwords with slashes: mysql://me:a/b@host."""
    user, _, password = address["user"].partition(":")
    is_port = address["scheme"] in ("http", "https") and _PORT.match(password)
    if "/" in user or ("/" in password and is_port):  # http://host/a@b, http://host:80/a@b
        return address[0]
    return f"{address['scheme']}://{HIDDEN}@"
