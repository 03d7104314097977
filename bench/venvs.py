"""An environment of its own for each peer, from a lock file with hashes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).parents[1] / ".venv" / "bench"


def python_of(lock: Path) -> Path:
    """The Python of an environment with what a lock file names; made when it is first asked for.

    Raises CalledProcessError when something cannot be installed.
    """
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    folder = HOME / lock.stem
    python, mark = folder / "bin" / "python", folder / "lock.sha256"
    if not mark.exists() or mark.read_text() != digest:
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        install = ("-m", "pip", "install", "-q", "--require-hashes", "-r", str(lock))
        _run(str(python), *install)
        mark.write_text(digest)
    return python


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 - venv and pip
