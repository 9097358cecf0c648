"""How a trial ended, as its place keeps it: enough for whoever has to tell the study, if its coordinator could not."""

from __future__ import annotations

import json
from dataclasses import asdict

from sweeper.records import typed
from sweeper.records.events import TrialEnded
from sweeper.secret import hide


def written(ended: TrialEnded) -> str:
    return json.dumps(hide(asdict(ended)), separators=(",", ":"))


def read(outcome: str) -> TrialEnded:
    return typed.make(TrialEnded, json.loads(outcome))
