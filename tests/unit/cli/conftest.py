"""A served core, and the real command to run against it."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.door import open_door

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.support.core import Core
    from tests.support.door import Door


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended; ``out`` and ``err`` by line."""

    code: int
    out: list[str]
    err: list[str]


@dataclass(frozen=True, slots=True)
class Stagedoor:
    """The installed command, in a folder and an environment of its own."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    async def start(
        self,
        *arguments: str,
        output: int = asyncio.subprocess.PIPE,
        environ: Mapping[str, str] | None = None,
    ) -> asyncio.subprocess.Process:
        """Start it; ``output`` takes what it prints on either stream."""
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        return await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("stagedoor"),
            *arguments,
            cwd=self.folder,
            env={**kept, **self.environ, **(environ or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )

    async def __call__(self, *arguments: str, **environ: str) -> Result:
        """Run it to its end; it never shows a traceback."""
        return await self.end_of(await self.start(*arguments, environ=environ))

    @staticmethod
    async def end_of(process: asyncio.subprocess.Process) -> Result:
        """How a started one ends."""
        async with asyncio.timeout(20):
            out, err = await process.communicate()
        result = Result(
            process.returncode or 0, out.decode().splitlines(), err.decode().splitlines()
        )
        assert "Traceback" not in err.decode(), err.decode()
        return result


@pytest.fixture
async def door(core: Core) -> AsyncIterator[Door]:
    """The gRPC door, served."""
    async with open_door(core) as opened:
        yield opened


@pytest.fixture
def alone(tmp_path: Path) -> Stagedoor:
    """The command, knowing of no server."""
    return Stagedoor(tmp_path)


@pytest.fixture
def stagedoor(door: Door, tmp_path: Path) -> Stagedoor:
    """The command, knowing the served core."""
    environ = {"STAGEDOOR_SERVER": door.address, "STAGEDOOR_TOKEN": door.token}
    return Stagedoor(tmp_path, environ)
