"""What has changed since a trial was trained: its config, data, code, packages or machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from sweeper import text
from sweeper.config import command, compose
from sweeper.errors import ConfigError
from sweeper.records import plain
from sweeper.training.config import as_text
from sweeper.training.origin import Origin

KINDS = ("config", "data", "code", "packages", "machine")
_HERE = ("cache", "tracking")  # of the machine, not of the training
_UNKNOWN = "unknown"
_NO_COMMITS = (None, None)


@dataclass(frozen=True)
class Difference:
    kind: str  # of KINDS
    what: str
    then: str
    now: str


def alike(found: Iterable[Difference]) -> list[str]:
    """The kinds in which nothing differs, and nothing is unknown."""
    differing = {one.kind for one in found}
    return [kind for kind in KINDS if kind not in differing]


def of_configs(then: DictConfig, line: str, allow: Sequence[str]) -> list[Difference]:
    """Between the config that a trial had and the one that its command `line` means now, in this folder.

    allow: what that one may call.
    """
    ours = command.ours(line)
    if ours is None or any(word.startswith("-") for word in ours.words):
        return [Difference("config", "config", "of another program", "not composed again")]
    overrides = [word for word in ours.words if not word.startswith(("hydra.", "+hydra.", "~hydra."))]
    folder = None if ours.config_dir is None else Path(ours.config_dir)
    try:
        now = compose.composed([*overrides, f"hydra.sweeper.allow=[{','.join(allow)}]"], folder)
        before, after = (dict(plain.leaves(yaml.safe_load(as_text(cfg)))) for cfg in (then, now))
    except (ConfigError, OmegaConfBaseException) as error:
        return [Difference("config", "config", "composed", f"refused: {text.first_line(str(error))}")]
    keys = [key for key in before | after if not key.startswith(_HERE)]
    changed = (key for key in keys if before.get(key) != after.get(key))
    return [Difference("config", key, _told(before, key), _told(after, key)) for key in changed]


def of_origins(
    then: Origin | None, now: Origin, commits: tuple[str | None, str | None] = _NO_COMMITS
) -> Iterator[Difference]:
    """commits: of the working folders, as `command.git_commit` tells them; of another code, perhaps."""
    if then is None:
        yield from (Difference(kind, kind, "not recorded", "") for kind in KINDS[1:])
        return
    if then.data != now.data or not now.data:
        yield Difference("data", "data", then.data or _UNKNOWN, now.data or _UNKNOWN)
    if then.code != now.code or not now.code:
        before, after = (_committed(*one) for one in zip((then.code, now.code), commits, strict=True))
        yield Difference("code", "code", before, after)
    for package in then.versions | now.versions:
        before, after = (versions.get(package, "none") for versions in (then.versions, now.versions))
        if before != after:
            yield Difference("packages", package, before, after)
    if then.machine != now.machine:
        yield Difference("machine", "machine", then.machine, now.machine)


def of_seeds(then: Origin, now: Origin) -> list[Difference]:
    """Between two trainings with different seeds, which may draw different validation images; the machine left out.

    What is not known of both is no difference.
    """
    before, after = (replace(origin, data=origin.unseeded) for origin in (then, now))
    found = (one for one in of_origins(before, after) if one.kind != "machine")
    return [one for one in found if _UNKNOWN not in (one.then, one.now)]


def _committed(code: str, commit: str | None) -> str:
    return f"{code or _UNKNOWN} (folder at commit {commit})" if commit else code or _UNKNOWN


def _told(values: dict[str, Any], key: str) -> str:
    return str(values[key]) if key in values else "none"
