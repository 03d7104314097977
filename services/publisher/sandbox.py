"""Runs each transcoding in a child process of its own (shared/sandbox); leaves no file behind."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import msgspec

from services.publisher.errors import TranscodeError
from services.publisher.formats import FORMATS
from services.publisher.messages import Limits, Progressed, Refusal, Request
from services.publisher.order import Transcoded
from shared.sandbox.parent import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from services.publisher.order import Order
    from shared.sandbox.parent import Said

CHILD: Final = (sys.executable, "-B", "-m", "services.publisher.child")
MAX_RESULT_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What the child says it made, and the file of each format in the order's order."""

    done: Transcoded
    files: tuple[Path, ...]


def unheard(_done: int, _total: int | None) -> None:
    """Nobody asks how far it is."""


@asynccontextmanager
async def transcoded(
    path: Path,
    order: Order,
    scratch: Path,
    *,
    limits: Limits | None = None,
    on_progress: Callable[[int, int | None], None] = unheard,
    command: Sequence[str] = CHILD,
) -> AsyncIterator[Made]:
    """Make the renditions of a master in a folder below ``scratch`` that goes when the block ends.

    ``on_progress`` hears how many frames of the master are done, and of how many if its header says
    so. Checksums are the child's word: whoever stores the files hashes them again. Raises
    TranscodeError, and ChildCrashed when the child gives no answer; cancelling kills it.
    ``command`` is what to run, for trying the sandbox itself.
    """
    with TemporaryDirectory(dir=scratch) as folder:
        files = tuple(Path(folder, f"{name}{FORMATS[name].suffix}") for name in order.formats)
        request = Request(
            path=str(path),
            order=order,
            outputs=tuple(map(str, files)),
            limits=limits or Limits(),
            parent=os.getpid(),
        )
        said = await ask(
            command, request, max_bytes=MAX_RESULT_BYTES, on_answer=_Progress(on_progress)
        )
        yield Made(done=_outcome(said), files=files)


class _Progress:
    """Takes the progress out of an answer while it grows."""

    def __init__(self, on_progress: Callable[[int, int | None], None]) -> None:
        self._on_progress = on_progress

    def __call__(self, answer: bytearray) -> None:
        while (end := answer.find(b"\n")) >= 0:
            try:
                heard = msgspec.json.decode(answer[:end], type=Progressed)
            except msgspec.MsgspecError:
                return
            del answer[: end + 1]
            self._on_progress(heard.done, heard.total)


def _outcome(said: Said) -> Transcoded:
    """Return what is left of the answer. Raises TranscodeError, ChildCrashed."""
    try:
        found: Transcoded | Refusal = msgspec.json.decode(said.answer, type=Transcoded | Refusal)
    except msgspec.MsgspecError as error:
        raise said.crash(f"a result that is none: {error}") from error
    if isinstance(found, Refusal):
        raise TranscodeError(found.code, found.detail)
    return found
