"""``stagedoor up`` as a child, in a folder of its own and on free ports."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.stack.child import Launch, spawn
from cli.stack.files import read_json

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Mapping

POLL_SECONDS = 0.05
READY_SECONDS = 60.0


class NotReady(Exception):  # noqa: N818 - reads as what happened
    """The stack did not start; its log says why."""


@asynccontextmanager
async def running_stack(
    folder: Path, settings: Mapping[str, str]
) -> AsyncIterator[Mapping[str, Any]]:
    """The stack with these STAGEDOOR_ variables and no others; gives what its ready file says.

    Its log is ``stack.log`` in the folder. Raises NotReady.
    """
    ready = folder / "ready.json"
    with (folder / "stack.log").open("wb") as log:
        process = await spawn(_launch(folder, ready, settings), stdout=log, stderr=log)
    try:
        async with asyncio.timeout(READY_SECONDS):
            found = await _await_ready(process, ready)
        yield found
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _launch(folder: Path, ready: Path, settings: Mapping[str, str]) -> Launch:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("STAGEDOOR_")}
    anywhere = ("--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0")
    places = ("--data-dir", str(folder / "data"), "--ready-file", str(ready))
    command = str(Path(sys.executable).with_name("stagedoor"))
    return Launch((command, "up", *anywhere, *places), {**ours, **settings})


async def _await_ready(process: Process, ready: Path) -> Mapping[str, Any]:
    while (found := read_json(ready)) is None:
        if process.returncode is not None:
            raise NotReady
        await asyncio.sleep(POLL_SECONDS)
    return found
