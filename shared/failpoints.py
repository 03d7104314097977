"""Places where a fault test can break this very process; inert unless STAGEDOOR_FAILPOINTS is set.

``STAGEDOOR_FAILPOINTS=relay.published=kill,api.claimed=stop@3`` kills the process (SIGKILL) when it
reaches the first point and freezes it (SIGSTOP) when it reaches the second for the third time. Each
point fires once in the life of a process; a restart without the variable is a healthy one.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from itertools import count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARIABLE: Final = "STAGEDOOR_FAILPOINTS"

POINTS: Final = {
    "api.committed": "A unit that changed a task has committed; nobody has been answered.",
    "api.claimed": "A claim was granted and has committed; the worker has not been answered.",
    "api.reported": "A report was applied and has committed; it has not been acknowledged.",
    "dispatcher.published": "Commands are with the broker; their rows have not been moved on.",
    "relay.published": "Events are with the broker; they have not been struck from the outbox.",
    "scrub.deleted": "Doomed bytes are deleted; their rows have not been forgotten.",
    "downloader.stored": "A master is whole in the store; nothing has been reported.",
    "worker.claimed": "The worker was told to go; the stage has done nothing.",
    "worker.reported": "The report is with the broker; the command has not been acknowledged.",
    "validator.judged": "The verdict is known; nothing has been reported.",
    "publisher.transcoded": "All files are made; none of them is in the store.",
    "publisher.stored": "A file is whole in the store; nothing has been reported.",
    "backup.saved": "A master is in the backup; the manifest is not.",
    "restore.moved": "A part of what is restored is in its place, the database last of all.",
}
"""Every point, and what has happened, and not yet happened, when it is reached."""

ACTIONS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}

_SETTING: Final = re.compile(
    r"(?P<point>[a-z.]+)=(?P<action>[a-z]+)(?:@(?P<time>[1-9][0-9]{0,5}))?"
)


class Trap:
    """Sends this process a signal when its point is reached for the given time, and only then."""

    def __init__(self, number: signal.Signals, time: int = 1) -> None:
        """Wait for this time, counted from 1."""
        self._signal = number
        self._time = time
        self._times: Iterator[int] = count(1)

    def spring(self) -> None:
        """Count a visit; may not return."""
        if next(self._times) == self._time:
            os.kill(os.getpid(), self._signal)


def parse(text: str) -> dict[str, Trap]:
    """Read the variable's value. Raises ValueError that names what is wrong with it."""
    return dict(_parse_one(setting) for setting in text.split(",") if setting)


def reach(point: str) -> None:
    """Say that the code is at this point."""
    if _armed and point in _armed:
        _armed[point].spring()


def _parse_one(setting: str) -> tuple[str, Trap]:
    match = _SETTING.fullmatch(setting)
    if match is None:
        raise ValueError(f"{setting!r} is not POINT=ACTION or POINT=ACTION@TIME")
    if match["point"] not in POINTS:
        raise ValueError(f"there is no point {match['point']!r}, but {', '.join(POINTS)}")
    if match["action"] not in ACTIONS:
        raise ValueError(f"there is no action {match['action']!r}, but {', '.join(ACTIONS)}")
    return match["point"], Trap(ACTIONS[match["action"]], int(match["time"] or 1))


def _from_environment() -> Mapping[str, Trap]:
    try:
        return parse(os.environ.get(VARIABLE, ""))
    except ValueError as error:
        sys.exit(f"error: {VARIABLE}: {error}")


_armed = _from_environment()
