"""Runs each inspection in a child process of its own, and hears what it says (shared/sandbox).

When only the tools that are asked for a second opinion take the child down, our own word stands.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import msgspec

from services.validator.limits import Limits, Request
from services.validator.report import MAX_JSON_BYTES, Report
from services.validator.rules.opinions import Opinion
from shared.problems import Problem, Severity
from shared.sandbox.parent import ChildCrashed, ask

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from services.validator.profile import Profile

__all__ = ["CHILD", "MAX_RESULT_BYTES", "ChildCrashed", "Limits", "inspect_in_child"]

# Two lines: our own word, and the whole report.
MAX_RESULT_BYTES = 2 * (MAX_JSON_BYTES + 1)
CHILD = (sys.executable, "-B", "-m", "services.validator.child")
_OTHERS = "FFmpeg or MediaInfo"


async def inspect_in_child(
    path: Path,
    profile: Profile,
    *,
    master_type: str = "dolby_atmos",
    md5: str | None = None,
    stereo_seconds: float | None = None,
    limits: Limits | None = None,
    command: Sequence[str] = CHILD,
) -> Report:
    """Inspect a file in a child process; raises ChildCrashed when that gives no report.

    Cancelling kills the child. ``command`` is what to run, for trying the sandbox itself; for the
    others see ``inspection.inspect``.
    """
    request = Request(
        path=str(path),
        profile=profile,
        limits=limits or Limits(),
        parent=os.getpid(),
        master_type=master_type,
        md5=md5,
        stereo_seconds=stereo_seconds,
    )
    try:
        said = await ask(command, request, max_bytes=MAX_RESULT_BYTES)
    except ChildCrashed as crash:
        return _own_word(crash)
    return _report(_lines(said.answer)[-1], said.log)


def _lines(answer: bytearray) -> list[bytes]:
    """Return the whole lines, and what is left after the last of them."""
    return bytes(answer).removesuffix(b"\n").split(b"\n")


def _own_word(crash: ChildCrashed) -> Report:
    """Return the report that the child gave before it asked other tools; else raise the crash."""
    first, ended, _ = crash.answer.partition(b"\n")
    if not ended or len(first) > MAX_JSON_BYTES:
        raise crash
    report = _report(first, crash.log)
    unheard = Opinion(tool=_OTHERS, complaints=(crash.reason,))
    problem = Problem(
        code="second_opinion_differs",
        severity=Severity.INFO,
        detail=f"{_OTHERS} did not come to an end on this file: one of them took the memory or"
        " the time of the inspection, or crashed.",
        measured=crash.reason,
    )
    return msgspec.structs.replace(
        report, problems=(*report.problems, problem), opinions=(unheard,)
    )


def _report(line: bytes, log: str) -> Report:
    try:
        return Report.from_json(line)
    except msgspec.MsgspecError as error:
        raise ChildCrashed(f"a result that is no report: {error}", log) from error
