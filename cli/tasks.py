"""``stagedoor tasks``: what is being imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.headers import Headers  # noqa: TC001 - typer reads the annotations
from cli.options import AsJson, PageSize, PageToken, TaskId  # noqa: TC001 - typer reads the annotations
from cli.report import report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stagedoor.v1.import_task_service_pb2 import ImportTask, UpdateImportTaskRequest

app = typer.Typer(no_args_is_help=True, help="List, show, follow, retry and delete import tasks.")
app.command()(report)
COLLECTION = "importTasks"


@app.command("list")
def list_(
    *,
    status: Annotated[
        list[str] | None, typer.Option(help="Only these: pending, completed, ...; repeatable.")
    ] = None,
    track: Annotated[str, typer.Option(help="Only of this track: an id or tracks/ID.")] = "",
    order_by: Annotated[
        str, typer.Option(help='Such as "update_time desc"; oldest first when not given.')
    ] = "",
    page_size: PageSize = 20,
    page_token: PageToken = "",
    as_json: AsJson = False,
) -> None:
    """List tasks, oldest first or in another order."""
    from cli.client import connect
    from cli.output import print_json, print_table
    from stagedoor.v1.import_task_service_pb2 import ListImportTasksRequest

    request = ListImportTasksRequest(
        filter=_filter(status or (), track),
        order_by=order_by,
        page_size=page_size,
        page_token=page_token,
    )
    with connect() as client:
        page = client.call(client.tasks.ListImportTasks, request)
    if as_json:
        print_json(page)
    else:
        rows = [_row(task) for task in page.import_tasks]
        print_table(("TASK", "STATUS", "ISRC", "TARGET", "UPDATED"), rows, page.next_page_token)


@app.command()
def get(*, task: TaskId, as_json: AsJson = False) -> None:
    """Show one task."""
    from cli.client import connect, resource_name
    from stagedoor.v1.import_task_service_pb2 import GetImportTaskRequest

    request = GetImportTaskRequest(name=resource_name(COLLECTION, task))
    with connect() as client:
        _show(client.call(client.tasks.GetImportTask, request), as_json=as_json)


@app.command()
def watch(
    *,
    task: Annotated[
        str, typer.Argument(metavar="[TASK]", help="An id or importTasks/ID; all when not given.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show a task until it is final, exit 1 if it failed; or what changes from now on.

    After a restart of the server a change of all tasks may be shown again.
    """
    from cli import watching
    from cli.client import connect, resource_name

    with connect() as client:
        if task:
            name = resource_name(COLLECTION, task)
            raise typer.Exit(watching.watch(client, name, as_json=as_json))
        watching.watch_all(client, as_json=as_json)


@app.command()
def retry(*, task: TaskId, header: Headers = None, as_json: AsJson = False) -> None:
    """Start a failed task again, with other header fields for its origin if they are given."""
    from cli.client import connect, request_id, resource_name
    from cli.headers import parse_headers
    from stagedoor.v1.import_task_service_pb2 import RetryImportTaskRequest

    name = resource_name(COLLECTION, task)
    change = _new_headers(name, parse_headers(header)) if header else None
    request = RetryImportTaskRequest(name=name, request_id=request_id())
    with connect() as client:
        if change is not None:
            client.call(client.tasks.UpdateImportTask, change)
        _show(client.call(client.tasks.RetryImportTask, request), as_json=as_json)


@app.command()
def delete(*, task: TaskId) -> None:
    """Delete a task and its record; running work is stopped."""
    from cli.client import connect, resource_name
    from stagedoor.v1.import_task_service_pb2 import DeleteImportTaskRequest

    request = DeleteImportTaskRequest(name=resource_name(COLLECTION, task))
    with connect() as client:
        client.call(client.tasks.DeleteImportTask, request)


def _new_headers(name: str, headers: Mapping[str, str]) -> UpdateImportTaskRequest:
    from google.protobuf.field_mask_pb2 import FieldMask

    from stagedoor.v1.import_task_service_pb2 import ImportTask, UpdateImportTaskRequest

    return UpdateImportTaskRequest(
        import_task=ImportTask(name=name, source_headers=headers),
        update_mask=FieldMask(paths=["source_headers"]),
    )


def _filter(statuses: Sequence[str], track: str) -> str:
    from cli.client import resource_name

    factors = []
    if statuses:
        factors.append(" OR ".join(f"state = {_quoted(status.upper())}" for status in statuses))
    if track:
        factors.append(f"target = {_quoted(resource_name('tracks', track))}")
    return " AND ".join(factors)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _row(task: ImportTask) -> tuple[str, ...]:
    from cli.output import id_of, moment, state_of

    return (id_of(task.name), state_of(task), task.isrc, task.target, moment(task.update_time))


def _show(task: ImportTask, *, as_json: bool) -> None:
    from cli.output import print_fields, print_json, problem_lines

    if as_json:
        print_json(task)
        return
    print_fields(list(_fields(task)))
    for line in problem_lines(task.problems):
        typer.echo(line)


def _fields(task: ImportTask) -> Iterator[tuple[str, str]]:
    from cli.output import master_type_of, moment, priority_of, problem_lines, state_of

    yield "task", task.name
    yield "status", state_of(task)
    yield "url", task.source_uri
    yield "isrc", task.isrc
    yield "target", task.target
    yield "master type", master_type_of(task)
    yield "profile", task.delivery_profile
    yield "priority", priority_of(task)
    yield "declared md5", task.declared_md5
    yield "actual md5", task.actual_md5
    yield "bytes", str(task.size_bytes) if task.HasField("size_bytes") else ""
    yield "record", task.record
    yield "report", task.validation_report
    yield "generation", str(task.generation)
    yield "attempts", str(task.attempts)
    if task.HasField("last_failure"):
        yield "last failure", next(problem_lines([task.last_failure]))
    yield "next attempt", moment(task.next_attempt_time)
    yield "created", moment(task.create_time)
    yield "updated", moment(task.update_time)
