"""``stagedoor db``: the database."""

from __future__ import annotations

import typer

from cli.admin import run_admin

app = typer.Typer(no_args_is_help=True, help="Look after the database.")


@app.command()
def upgrade() -> None:
    """Bring the database's tables up to date."""
    run_admin("db", "upgrade")
