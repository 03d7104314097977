"""``stagedoor token``: who may use the server."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.admin import run_admin

app = typer.Typer(no_args_is_help=True, help="Create, list, rotate and revoke tokens.")


@app.command()
def create(
    *,
    name: Annotated[str, typer.Option(help="What it is for.")],
    tenant: Annotated[str, typer.Option(help="Whose data it opens.")] = "default",
    scopes: Annotated[
        str, typer.Option(help="Comma-separated, such as tasks:read,tasks:write.")
    ] = "admin",
    days: Annotated[int | None, typer.Option(min=1, help="Expires after so many days.")] = None,
) -> None:
    """Create a token and print it; it is never shown again."""
    expiry = ("--days", str(days)) if days else ()
    run_admin("token", "create", "--name", name, "--tenant", tenant, "--scopes", scopes, *expiry)


@app.command("list")
def list_() -> None:
    """List tokens without their secrets, and when each was last used."""
    run_admin("token", "list")


@app.command()
def rotate(
    *,
    key_id: Annotated[str, typer.Argument(metavar="KEYID", help="As in sd_KEYID_SECRET.")],
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=8760, help="How long the old one stays good.")
    ] = 24,
) -> None:
    """Create a token that takes the place of another, and print it."""
    run_admin("token", "rotate", key_id, "--overlap-hours", str(overlap_hours))


@app.command()
def revoke(
    *, key_id: Annotated[str, typer.Argument(metavar="KEYID", help="As in sd_KEYID_SECRET.")]
) -> None:
    """Revoke a token."""
    run_admin("token", "revoke", key_id)
