"""Commands that need the database run in a child: only the API's own program may touch it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from cli.location import DATA_DIR

MODULE: Final = "services.api.admin"

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where the stack keeps everything.")
]
"""An option of commands that work on a data folder."""


def run_admin(*arguments: str, data_dir: Path | None = None) -> NoReturn:
    """Run the API's admin program on our terminal and end with its exit code."""
    command = [sys.executable, "-m", MODULE, *arguments]
    env = os.environ if data_dir is None else {**os.environ, DATA_DIR: str(data_dir)}
    code = subprocess.run(command, check=False, env=env).returncode  # noqa: S603 - our own module
    raise typer.Exit(code if code >= 0 else 128 - code)
