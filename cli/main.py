"""The ``stagedoor`` command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli import audit, db, quota, records, settings, subscriptions, tasks, tokens, tracks
from cli.backup import backup, restore
from cli.errors import CommandError
from cli.import_ import import_
from cli.inspect import inspect
from cli.up import up
from cli.verify import verify

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Import audio masters, prove them and follow how it goes.",
)
app.command("import")(import_)
app.command()(inspect)
app.command()(up)
app.command()(backup)
app.command()(restore)
app.command()(verify)
app.add_typer(tasks.app, name="tasks")
app.add_typer(tracks.app, name="tracks")
app.add_typer(records.app, name="records")
app.add_typer(subscriptions.app, name="subscriptions")
app.add_typer(tokens.app, name="token")
app.add_typer(settings.app, name="settings")
app.add_typer(quota.app, name="quota")
app.add_typer(audit.app, name="audit")
app.add_typer(db.app, name="db")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature
    if wanted:
        from importlib.metadata import version

        typer.echo(version("stagedoor"))
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Options of the command itself."""


def main() -> None:
    """Run the command; what fails ends as one line on stderr and exit code 1."""
    try:
        app()
    except CommandError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
