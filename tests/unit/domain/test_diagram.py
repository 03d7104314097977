"""The picture of a task's life is the one that the code lives by."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from services.api.domain import diagram
from services.api.domain.lifecycle import TRANSITIONS, Status

DOCUMENT = Path(__file__).parents[3] / "docs" / "life-of-a-task.md"


def test_the_document_shows_the_present_diagram() -> None:
    document = DOCUMENT.read_text()
    assert diagram.insert(document) == document, "run: make docs"


def test_every_transition_is_drawn_once() -> None:
    drawn = diagram.draw()
    for before, cause, after in TRANSITIONS:
        arrow = f"  {before} --> {after} : {cause}\n"
        everywhere = f"  note left of {after} : any status comes here by a {cause}\n"
        assert drawn.count(arrow) + drawn.count(everywhere) == 1


def test_a_task_begins_pending() -> None:
    assert f"[*] --> {Status.PENDING} : create" in diagram.draw()


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no place marked"):
        diagram.insert("# Nothing here\n")


def test_check_tells_an_old_diagram_and_leaves_it(tmp_path: Path) -> None:
    old = tmp_path / "old.md"
    old.write_text(f"{diagram.BEGIN}old\n{diagram.END}")
    assert _run(old, "--check").returncode == 1
    assert "old\n" in old.read_text()
    assert _run(old).returncode == 0
    assert _run(old, "--check").returncode == 0


def _run(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "services.api.domain.diagram", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True)
