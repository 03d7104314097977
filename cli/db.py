"""``stagedoor db``: the database."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.admin import run_admin

app = typer.Typer(no_args_is_help=True, help="Look after the database.")


@app.command()
def upgrade() -> None:
    """Bring the database's tables up to date."""
    run_admin("db", "upgrade")


@app.command()
def copy(
    *,
    source: Annotated[str, typer.Argument(metavar="FROM", help="A database URL.")],
    target: Annotated[
        str, typer.Argument(metavar="TO", help="Another, whose tables are there and empty.")
    ],
) -> None:
    """Copy everything from one database to another; nobody may use either meanwhile."""
    run_admin("db", "copy", source, target)
