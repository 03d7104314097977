"""``stagedoor backup`` and ``stagedoor restore``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from cli.admin import DataDir, run_admin


def backup(
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    data_dir: DataDir = None,
) -> None:
    """Save the database, the masters and the secret keys; the stack may go on running.

    Exit code 1 when the bytes of a master are not right: all others are saved.
    """
    run_admin("backup", str(folder), data_dir=data_dir)


def restore(
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The backup.")],
    data_dir: DataDir = None,
) -> None:
    """Bring a backup into an empty data folder; then `stagedoor up` goes on from there."""
    run_admin("restore", str(folder), data_dir=data_dir)
