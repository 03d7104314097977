"""``stagedoor records``: masters that were accepted, and their bytes."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cli.client import Client
    from stagedoor.v1.record_service_pb2 import DownloadLink

app = typer.Typer(no_args_is_help=True, help="Get the bytes of records.")
COLLECTION = "records"

RecordId = Annotated[str, typer.Argument(metavar="RECORD", help="An id or records/ID.")]


@app.command()
def download(
    *,
    record: RecordId,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Where to; by default a new file named by the server."),
    ] = None,
) -> None:
    """Download a record's bytes and prove that they are the ones."""
    from cli.client import connect, resource_name
    from cli.fetching import fetch
    from stagedoor.v1.record_service_pb2 import GetRecordRequest

    name = resource_name(COLLECTION, record)
    with connect() as client:
        wanted = client.call(client.records.GetRecord, GetRecordRequest(name=name))
        link_ = _link(client, name, None)
    typer.echo(fetch(link_.uri, wanted, output))


@app.command()
def link(
    *,
    record: RecordId,
    ttl: Annotated[
        int | None, typer.Option(min=1, help="How many seconds it lasts; 15 minutes if not given.")
    ] = None,
) -> None:
    """Print a URL that gives a record's bytes to whoever has it."""
    from cli.client import connect, resource_name

    with connect() as client:
        typer.echo(_link(client, resource_name(COLLECTION, record), ttl).uri)


def _link(client: Client, name: str, ttl: int | None) -> DownloadLink:
    from stagedoor.v1.record_service_pb2 import GenerateDownloadLinkRequest

    request = GenerateDownloadLinkRequest(name=name)
    if ttl is not None:
        request.ttl.FromSeconds(ttl)
    return client.call(client.records.GenerateDownloadLink, request)
