"""``stagedoor up``: the whole product on one machine, one command."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer


def up(
    *,
    data_dir: Annotated[
        Path, typer.Option(help="Where everything is kept.", envvar="STAGEDOOR_DATA_DIR")
    ] = Path("var"),
    http: Annotated[
        str, typer.Option(help="HOST:PORT; port 0 is any.", envvar="STAGEDOOR_HTTP_LISTEN")
    ] = "127.0.0.1:8080",
    grpc: Annotated[
        str, typer.Option(help="HOST:PORT; port 0 is any.", envvar="STAGEDOOR_GRPC_LISTEN")
    ] = "127.0.0.1:50051",
    downloaders: Annotated[int, typer.Option(min=0, help="How many download workers.")] = 1,
    validators: Annotated[int, typer.Option(min=0, help="How many validation workers.")] = 1,
    ready_file: Annotated[
        Path | None, typer.Option(help="Written as JSON whenever everything is ready.")
    ] = None,
) -> None:
    """Run NATS, the API and the workers until Ctrl-C; start again what dies."""
    from cli.stack.child import StartError, say
    from cli.stack.supervisor import Options, Supervisor

    options = Options(
        data_dir=data_dir.absolute(),
        http=http,
        grpc=grpc,
        downloaders=downloaders,
        validators=validators,
        ready_file=ready_file.absolute() if ready_file else None,
    )
    try:
        asyncio.run(Supervisor(options, os.environ).run())
    except StartError as failure:
        say(str(failure))
        raise typer.Exit(1) from None
