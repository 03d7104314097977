"""The MD5 of a file, beside the event loop.

Apart from shared/hashing.py, which children of the sandbox load, who have no loop.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from shared.hashing import md5_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def digest(path: Path, on_bytes: Callable[[int], None]) -> tuple[str, int]:
    """``md5_of`` in a thread, which stops when this is cancelled; ``on_bytes`` is called there."""
    stopped = threading.Event()

    def go_on(done: int) -> bool:
        on_bytes(done)
        return not stopped.is_set()

    try:
        return await asyncio.to_thread(md5_of, path, go_on)
    finally:
        stopped.set()
