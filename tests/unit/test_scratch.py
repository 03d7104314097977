"""The scratch folder: each process its own, and nothing of the dead."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from shared.blobs.scratch import own_scratch

if TYPE_CHECKING:
    from pathlib import Path


def test_what_dead_processes_left_is_removed_and_the_living_keep_theirs(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    living = tmp_path / str(os.getppid())
    for folder in (tmp_path / str(dead.pid), living, tmp_path / str(os.getpid())):
        folder.mkdir()
        (folder / "copy-1").write_bytes(b"x")
    own = own_scratch(tmp_path)
    assert {folder.name for folder in tmp_path.iterdir()} == {living.name, own.name}
    assert (living / "copy-1").exists()
    assert list(own.iterdir()) == []
