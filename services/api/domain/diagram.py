"""Draw the life of a task: a Mermaid state diagram made from the transition table.

``python -m services.api.domain.diagram FILE`` puts it into a document, between the lines
``<!-- diagram -->`` and ``<!-- /diagram -->``; with ``--check`` it only says whether it is there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from services.api.domain.lifecycle import (
    FAILED,
    FINAL,
    STAGES,
    TRANSITIONS,
    UPLOADED,
    Cause,
    Status,
)

BEGIN, END = "<!-- diagram -->\n", "<!-- /diagram -->\n"


def draw() -> str:
    """The diagram as a fenced block of Mermaid."""
    lines = ["stateDiagram-v2", "  direction LR", f"  [*] --> {_start()} : create"]
    lines.append(f"  [*] --> {UPLOADED} : create from an upload")
    lines += [f"  {a} --> {b} : {cause}" for a, cause, b in TRANSITIONS if not _from_all(cause, b)]
    for cause, after in _everywhere():
        # An arrow from every status would hide the others.
        lines.append(f"  note left of {after} : any status comes here by a {cause}")
    lines += [
        "  classDef done stroke:#2a7,stroke-width:2px",
        "  classDef failed stroke:#c33,stroke-width:2px",
        f"  class {','.join(sorted(FINAL - FAILED))} done",
        f"  class {','.join(sorted(FAILED))} failed",
    ]
    return "\n".join(["```mermaid", *lines, "```", ""])


def insert(document: str) -> str:
    """The document with the present diagram between its marks.

    Raises ValueError when a mark is missing.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"no place marked by {BEGIN.strip()} and {END.strip()}")
    return before + begin + draw() + end + after


def _start() -> Status:
    """The status that is nobody's result: where a new task begins."""
    results = {owned.done for owned in STAGES.values()}
    (start,) = {owned.waiting for owned in STAGES.values()} - results
    return start


def _everywhere() -> list[tuple[Cause, Status]]:
    pairs = dict.fromkeys((cause, after) for _, cause, after in TRANSITIONS)
    return [pair for pair in pairs if _from_all(*pair)]


def _from_all(cause: Cause, after: Status) -> bool:
    return {(status, cause, after) for status in Status} <= set(TRANSITIONS)


def main() -> None:
    """Write the diagram into a document, or check that it is the present one."""
    parser = argparse.ArgumentParser(description=draw.__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if it differs")
    arguments = parser.parse_args()
    document = arguments.file.read_text()
    drawn = insert(document)
    if arguments.check and drawn != document:
        sys.exit(f"{arguments.file}: the diagram is not the present one, run: make docs")
    arguments.file.write_text(drawn)


if __name__ == "__main__":
    main()
