"""Keep few of the inputs that fuzzing found: ``python -m tests.fuzz.readers.minimise [TARGET...]``.

Of the seeds, ``var/fuzz`` and the corpus those are kept that reach a line of the validator which no
smaller one reaches. Inputs that once broke a target stay, whatever they reach: they are named
``broken-*``.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import services.validator
from tests.fuzz.readers.__main__ import CORPUS, FOLDER
from tests.fuzz.readers.seeds import seeds
from tests.fuzz.readers.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from _typeshed import TraceFunction

MAX_BYTES = 15_000
_VALIDATOR = str(Path(services.validator.__path__[0]))
_BROKEN = "broken-"

Line = tuple[str, int]


def main() -> None:
    """Minimise the corpora of the targets that are named, or of all."""
    known = seeds()
    for name in sys.argv[1:] or TARGETS:
        minimise(name, known[name])


def minimise(name: str, start: list[bytes]) -> None:
    """Write the corpus of a target anew, from its seeds and what was found."""
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    files = [*folder.iterdir(), *(FOLDER / name).glob("*")]
    read = {file.read_bytes() for file in files}
    found = sorted({*start, *read}, key=lambda data: (len(data), data))
    kept = choose(TARGETS[name], found, MAX_BYTES)
    for file in folder.iterdir():
        if not file.name.startswith(_BROKEN):
            file.unlink()
    for data in kept:
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    sys.stdout.write(f"{name}: {len(kept)} of {len(found)}, {sum(map(len, kept))} bytes\n")


def choose(target: Callable[[bytes], None], found: list[bytes], most: int) -> list[bytes]:
    """Return the inputs that reach lines of their own, the smallest first, up to ``most`` bytes."""
    seen: set[Line] = set()
    kept: list[bytes] = []
    for data in found:
        lines = reached(target, data)
        if not lines <= seen and sum(map(len, kept)) + len(data) <= most:
            kept.append(data)
            seen |= lines
    return kept


def reached(target: Callable[[bytes], None], data: bytes) -> set[Line]:
    """Return the lines of the validator that an input reaches."""
    lines: set[Line] = set()

    def trace(frame: FrameType, event: str, _argument: object) -> TraceFunction | None:
        if not frame.f_code.co_filename.startswith(_VALIDATOR):
            return None
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        target(data)
    finally:
        sys.settrace(before)
    return lines


if __name__ == "__main__":
    main()
