"""Telling a supervisor that a service serves."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_ready_file(path: Path | None, **facts: object) -> None:
    """Write this process's id and what it says of itself, so that no reader sees half of it."""
    if path is None:
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"pid": os.getpid(), **facts}))
    draft.replace(path)
