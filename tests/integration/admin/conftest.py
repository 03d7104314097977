"""A core on a store, and the operator's program."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import pytest

from services.api.admin.__main__ import main
from shared.blobs.local import LocalStore
from shared.failpoints import VARIABLE
from tests.support.core import Core, migrate, open_core

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Admin = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """The data folder of an embedded stack that does not run."""
    folder = tmp_path / "data"
    folder.mkdir()
    migrate(f"sqlite+aiosqlite:///{folder / 'stagedoor.db'}")
    (folder / "secrets.key").write_text("a secret\n")
    return folder


@pytest.fixture
def store(data_dir: Path) -> LocalStore:
    """Its bytes."""
    return LocalStore(data_dir / "blobs")


@pytest.fixture
async def stack(data_dir: Path, store: LocalStore) -> AsyncIterator[Core]:
    """Its use cases."""
    url = f"sqlite+aiosqlite:///{data_dir / 'stagedoor.db'}"
    async with open_core(url, store=store) as opened:
        yield opened


@pytest.fixture
def admin(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Admin:
    """Runs the operator's program on the data folder: in a process of its own if it is to die."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        own = {"STAGEDOOR_DATA_DIR": str(data_dir), **env}
        if VARIABLE in env:
            command = [sys.executable, "-m", "services.api.admin", *arguments]
            whole = {"PATH": os.environ["PATH"], **own}
            return subprocess.run(
                command, env=whole, capture_output=True, text=True, check=False, timeout=60
            )
        with monkeypatch.context() as patch:
            for name, value in own.items():
                patch.setenv(name, value)
            # In a thread, because it runs a loop of its own.
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(_called, arguments).result(60)

    return run


def _called(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
