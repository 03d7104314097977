"""The files that are served, and the processes that serve them."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import contextmanager
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING

from bench.download import nginx

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 1 << 20
_START_SECONDS = 20
_ROOT = Path(__file__).parents[2]


def write_files(folder: Path, count: int, size: int) -> dict[str, str]:
    """Write files that compress badly; return their MD5 by name."""
    folder.mkdir()
    chance, digests = random.Random(1), {}  # noqa: S311 - any bytes will do
    for number in range(count):
        name, block = f"master-{number:04}.wav", chance.randbytes(_BLOCK)
        digest = md5(usedforsecurity=False)
        with (folder / name).open("wb") as file:
            for at in range(0, size, _BLOCK):
                piece = block[: size - at]
                file.write(piece)
                digest.update(piece)
        digests[name] = digest.hexdigest()
    return digests


def origin_name() -> str:
    """Say what serves the files."""
    return "nginx" if nginx.found() else "our own in Python, as nginx is not installed"


@contextmanager
def origin(folder: Path, served: Path) -> Iterator[int]:
    """Serve the files of a folder: nginx if it is installed, else ours. Gives the port.

    The authority of its certificate is ``folder/origin/ca.pem``.
    """
    program = nginx.found()
    if program is None:
        with listening(folder, "origin", str(served)) as port:
            yield port
    else:
        state = folder / "origin"
        state.mkdir()
        with nginx.serving(program, served, state) as port:
            yield port


@contextmanager
def listening(folder: Path, server: str, *arguments: str) -> Iterator[int]:
    """Run one of our servers in a process of its own; gives the port that it wrote."""
    state = folder / server
    state.mkdir()
    command = [sys.executable, "-m", f"bench.download.{server}", *arguments, str(state)]
    process = subprocess.Popen(command, cwd=_ROOT)  # noqa: S603 - our own
    try:
        until = time.monotonic() + _START_SECONDS
        while not (state / "port").exists():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the {server} did not start")
            time.sleep(0.02)
        yield int((state / "port").read_text())
    finally:
        process.terminate()
        process.wait()
