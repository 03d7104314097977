"""``stagedoor up``: the whole product on one machine, one command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import CommandError
from cli.location import DATA_DIR, DEFAULT_DATA_DIR


def up(
    *,
    data_dir: Annotated[
        Path, typer.Option(help="Where everything is kept.", envvar=DATA_DIR)
    ] = Path(DEFAULT_DATA_DIR),
    http: Annotated[
        str, typer.Option(help="HOST:PORT; port 0 is any.", envvar="STAGEDOOR_HTTP_LISTEN")
    ] = "127.0.0.1:8080",
    grpc: Annotated[
        str, typer.Option(help="HOST:PORT; port 0 is any.", envvar="STAGEDOOR_GRPC_LISTEN")
    ] = "127.0.0.1:50051",
    downloaders: Annotated[int, typer.Option(min=0, help="How many download workers.")] = 1,
    validators: Annotated[int, typer.Option(min=0, help="How many validation workers.")] = 1,
    publishers: Annotated[int, typer.Option(min=0, help="How many publishing workers.")] = 1,
    ready_file: Annotated[
        Path | None, typer.Option(help="Written as JSON whenever everything is ready.")
    ] = None,
) -> None:
    """Run NATS, the API and the workers until Ctrl-C; start again what dies."""
    import asyncio

    from cli.stack.child import StartError
    from cli.stack.supervisor import Options, Supervisor

    options = Options(
        data_dir=data_dir.absolute(),
        http=http,
        grpc=grpc,
        downloaders=downloaders,
        validators=validators,
        publishers=publishers,
        ready_file=ready_file.absolute() if ready_file else None,
    )
    try:
        asyncio.run(Supervisor(options, os.environ).run())
    except StartError as failure:
        raise CommandError("START_FAILED", str(failure)) from None
    except asyncio.CancelledError:
        raise CommandError("KILLED", "Stopped at once, at the second signal.") from None
