"""``stagedoor import``: one master from a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.headers import Headers  # noqa: TC001 - typer reads the annotations
from cli.options import AsJson  # noqa: TC001 - as above

if TYPE_CHECKING:
    from stagedoor.v1.import_task_service_pb2 import ImportTask

_PREFIX: Final = "MASTER_TYPE_"


def import_(
    *,
    url: Annotated[str, typer.Argument(help="The HTTPS URL of the master.")],
    isrc: Annotated[str, typer.Option(help="ISRC for the record.")] = "",
    track: Annotated[str, typer.Option(help="The track: an id or tracks/ID.")] = "",
    md5: Annotated[str, typer.Option(help="MD5 that the bytes must have.")] = "",
    master_type: Annotated[
        str, typer.Option(help="What it is: dolby_atmos, cd, hd, subtitles, ...")
    ] = "dolby_atmos",
    profile: Annotated[
        str, typer.Option(help="The delivery profile to judge by; the tenant's if not given.")
    ] = "",
    bulk: Annotated[
        bool, typer.Option("--bulk", help="Nobody waits for it: other work goes first.")
    ] = False,
    header: Headers = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it until it is final.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import a master; with --watch, exit 1 if that fails."""
    from cli import watching
    from cli.client import connect, request_id, resource_name
    from cli.headers import parse_headers
    from cli.output import print_json
    from stagedoor.v1.import_task_service_pb2 import CreateImportTaskRequest, ImportTask

    wanted = ImportTask(
        source_uri=url,
        isrc=isrc,
        target=resource_name("tracks", track) if track else "",
        declared_md5=md5,
        master_type=_master_type(master_type),
        delivery_profile=profile,
        priority=ImportTask.PRIORITY_BULK if bulk else ImportTask.PRIORITY_UNSPECIFIED,
        source_headers=parse_headers(header or ()),
    )
    request = CreateImportTaskRequest(import_task=wanted, request_id=request_id())
    with connect() as client:
        task = client.call(client.tasks.CreateImportTask, request)
        if not as_json:
            typer.echo(task.name)
        elif not watch:
            print_json(task)
        if watch:
            raise typer.Exit(watching.watch(client, task.name, as_json=as_json))


def _master_type(name: str) -> ImportTask.MasterType.ValueType:
    from stagedoor.v1.import_task_service_pb2 import ImportTask

    known = {
        value.removeprefix(_PREFIX).lower(): number
        for value, number in ImportTask.MasterType.items()
        if number
    }
    if name not in known:
        raise typer.BadParameter(
            f"There is no master type {name}; known: {', '.join(known)}.",
            param_hint="--master-type",
        )
    return known[name]
