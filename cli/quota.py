"""``stagedoor quota``: how much a tenant may store."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.admin import run_admin

app = typer.Typer(no_args_is_help=True, help="Say how much a tenant may store.")


@app.command("set")
def set_(
    *,
    tenant: Annotated[str, typer.Argument(help="Whose.")],
    bytes_: Annotated[
        str,
        typer.Argument(
            metavar="BYTES", help="0 for any number; default for what holds for all tenants."
        ),
    ],
) -> None:
    """Give a tenant a quota of its own; what it stores already stays."""
    run_admin("quota", "set", tenant, bytes_)
