"""What has changed since a trial was trained: its config, data, code, packages or machine."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from sweeper import text
from sweeper.config import compose
from sweeper.errors import ConfigError
from sweeper.records import plain
from sweeper.training import trial
from sweeper.training.origin import Origin

_HERE = ("cache", "tracking")  # of the machine, not of the training
_PROGRAM = ["python", "-m", "sweeper"]
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Difference:
    what: str
    then: str
    now: str


def of_configs(then: DictConfig, command: str, allow: Sequence[str]) -> list[Difference]:
    """Between the config that a trial had and the one that its command means now. allow: what that one may call."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if words[:3] != _PROGRAM or any(word.startswith("-") for word in words[3:]):
        return [Difference("config", "of another program", "not composed again")]
    overrides = [word for word in words[3:] if not word.startswith(("hydra.", "+hydra.", "~hydra."))]
    try:
        now = compose.composed([*overrides, f"hydra.sweeper.allow=[{','.join(allow)}]"])
        before, after = (dict(plain.leaves(yaml.safe_load(trial.as_text(config)))) for config in (then, now))
    except (ConfigError, OmegaConfBaseException) as error:
        return [Difference("config", "composed", f"refused: {text.first_line(str(error))}")]
    keys = [key for key in before | after if not key.startswith(_HERE)]
    return [Difference(key, _told(before, key), _told(after, key)) for key in keys if before.get(key) != after.get(key)]


def of_origins(then: Origin | None, now: Origin) -> Iterator[Difference]:
    if then is None:
        yield Difference("data, packages and machine", "not recorded", "")
        return
    if then.data != now.data:
        yield Difference("data", then.data or _UNKNOWN, now.data or _UNKNOWN)
    for package in then.versions | now.versions:
        before, after = (versions.get(package, "none") for versions in (then.versions, now.versions))
        if before != after:
            yield Difference(package, before, after)
    if then.machine != now.machine:
        yield Difference("machine", then.machine, now.machine)


def of_code(then: str | None, now: str | None) -> Iterator[Difference]:
    """Commits, as `command.git_commit` tells them."""
    if then != now or "+changes" in (now or ""):
        yield Difference("code", then or _UNKNOWN, now or _UNKNOWN)


def _told(values: dict[str, Any], key: str) -> str:
    return str(values[key]) if key in values else "none"
