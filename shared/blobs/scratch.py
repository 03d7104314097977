"""A folder of this process for blobs on their way to or from a remote store."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def own_scratch(root: Path) -> Path:
    """Make this process's folder below ``root``; remove those that dead processes left there.

    Folders are named by process id, so processes that share ``root`` must share their ids too.
    """
    root.mkdir(parents=True, exist_ok=True)
    for folder in root.iterdir():
        if folder.name == str(os.getpid()) or not Path("/proc", folder.name).exists():
            shutil.rmtree(folder, ignore_errors=True)
    own = root / str(os.getpid())
    own.mkdir(mode=0o700)
    return own
