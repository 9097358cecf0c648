"""Messages between machines that share nothing but a file system: each is a file, there as a whole or not at all.

Who waits for one lists a folder. NFS looks anew at a folder that is opened, but may take the size of a file, or that
there is none, from memory for a minute; and one listing finds the letters of hundreds of jobs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def post(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Raises: OSError if the folder is gone, or the disk full."""
    new = folder / f".{name}"
    with open(new, "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, folder / name)


def arrived(folder: Path) -> list[str]:
    """Their names, in order. Raises: OSError if the folder is gone."""
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def take(folder: Path, name: str) -> dict[str, Any] | None:
    """Reads a letter that has arrived, and removes it. None where the disk does not show it yet.

    Raises: ValueError if it is not what `post` writes.
    """
    try:
        text = (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    (folder / name).unlink(missing_ok=True)
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError(f"{content!r:.60} is no JSON object")
    return content
