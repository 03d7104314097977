"""The child process of the sandbox: limits itself, transcodes one master, answers, ends."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from services.publisher.errors import TranscodeError
from services.publisher.messages import Progressed, Refusal, Request
from services.publisher.transcode import transcode
from shared.sandbox.child import apply_limits, run_child

if TYPE_CHECKING:
    from collections.abc import Callable

_PROGRESS_SECONDS = 0.2


def main() -> int:
    """Answer the request on standard input: progress, then the one line that counts."""
    return run_child(Request, _transcode)


def _transcode(request: Request, tell: Callable[[bytes], None]) -> None:
    with ExitStack() as opened:
        # Once it is confined, this process can make no file.
        files = [opened.enter_context(Path(each).open("x+b")) for each in request.outputs]
        apply_limits(request.limits)
        try:
            done = transcode(Path(request.path), request.order, files, _Progress(tell))
        except TranscodeError as error:
            tell(msgspec.json.encode(Refusal(code=error.code, detail=error.detail)))
        else:
            tell(msgspec.json.encode(done))


class _Progress:
    """Tells how far it is, a few times a second."""

    def __init__(self, tell: Callable[[bytes], None]) -> None:
        self._tell = tell
        self._due = 0.0

    def __call__(self, done: int, total: int | None) -> None:
        if (now := time.monotonic()) >= self._due:
            self._due = now + _PROGRESS_SECONDS
            self._tell(msgspec.json.encode(Progressed(done=done, total=total)))


if __name__ == "__main__":
    sys.exit(main())
