"""Commands that need the database run in a child: only the API's own program may touch it."""

from __future__ import annotations

import subprocess
import sys
from typing import Final, NoReturn

import typer

MODULE: Final = "services.api.admin"


def run_admin(*arguments: str) -> NoReturn:
    """Run the API's admin program on our terminal and end with its exit code."""
    command = [sys.executable, "-m", MODULE, *arguments]
    code = subprocess.run(command, check=False).returncode  # noqa: S603 - our own module
    raise typer.Exit(code if code >= 0 else 128 - code)
