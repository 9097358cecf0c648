"""How a trial can end: what each state is called, looks like and counts as, everywhere the same."""

from __future__ import annotations

import errno
import re
from typing import Literal

from sweeper import text
from sweeper.errors import Diverged

State = Literal[
    "FINISHED",
    "PRUNED",
    "DIVERGED",  # the loss became NaN or infinite
    "OUT_OF_MEMORY",
    "FAILED",  # an exception
    "HUNG",  # no progress for hydra.sweeper.trial_timeout
    "KILLED",  # its process was lost more often than hydra.sweeper.max_retries allows
    "CRASHED",  # its process was lost; the trial starts again
    "INTERRUPTED",  # the sweep ended first; resumed, it goes on
    "TAKEN_OVER",  # another sweep of a shared study runs it: nothing had been heard of this one, or it had ended
]
BAD = ("DIVERGED", "OUT_OF_MEMORY")  # by its hyperparameters: the sampler hears of it as of the worst result
FAILURES = (*BAD, "FAILED", "HUNG", "KILLED")
OPEN = ("RUNNING", "CRASHED", "INTERRUPTED")  # a resumed sweep goes on with it

_NO_FAULT = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # the disk is full, or read-only by now
_COLOURS = {
    "RUNNING": "cyan",
    "FINISHED": "green",
    "PRUNED": "bright_black",
    "DIVERGED": "magenta",
    "OUT_OF_MEMORY": "yellow",
    "FAILED": "red",
    "HUNG": "bright_yellow",
    "KILLED": "bright_red",
    "CRASHED": "bright_magenta",
    "INTERRUPTED": "blue",
    "TAKEN_OVER": "bright_blue",
}


def label(state: str) -> str:
    """As people read it: `out of memory`."""
    return state.lower().replace("_", " ")


def colour(state: str) -> str:
    """A terminal's name of it."""
    return _COLOURS[state]


def of(error: BaseException) -> State:
    """What a trial that ended with this exception counts as."""
    if isinstance(error, Diverged):
        return "DIVERGED"
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's
        return "OUT_OF_MEMORY"
    if isinstance(error, KeyboardInterrupt) or (isinstance(error, OSError) and error.errno in _NO_FAULT):
        return "INTERRUPTED"
    return "FAILED"


def reason(error: BaseException) -> str:
    """The exception's class and message. Of TensorFlow's the line that tells: the first says only that it was one."""
    message = str(error)
    if hasattr(error, "node_def"):  # TensorFlow's
        found = re.search("OOM when .*", error.message)
        told = (error.message.partition("\n\n")[2] or error.message).strip()
        message = found.group() if found else told.partition("\n")[0]
    return text.error(error, message)
