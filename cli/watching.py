"""Following a task until it is final, or all of them, on a terminal or in a log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

import typer

from cli.errors import UNAVAILABLE, CommandError
from cli.output import console, print_json, problem_lines, state_of
from stagedoor.v1.import_task_service_pb2 import (
    ImportTask,
    WatchImportTaskRequest,
    WatchImportTasksRequest,
    WatchImportTasksResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress

    from cli.client import Client

T = TypeVar("T")

FAILED: Final = frozenset({ImportTask.STATE_DOWNLOAD_FAILED, ImportTask.STATE_VALIDATION_FAILED})
FINAL: Final = FAILED | {ImportTask.STATE_COMPLETED}
PAUSES_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 5.0)
"""How long to wait for a server that restarts, try by try."""


def follow(client: Client, name: str) -> Iterator[ImportTask]:
    """The task now and at every change until it is final; a restart of the server is waited for.

    Raises CommandError.
    """
    request = WatchImportTaskRequest(name=name)
    for task in _lasting(lambda: client.stream(client.tasks.WatchImportTask, request)):
        yield task
        if task.state in FINAL:
            return


def follow_all(client: Client) -> Iterator[WatchImportTasksResponse]:
    """Every change of the tenant's tasks from now on, as ``follow``; never ends."""
    cursor = ""

    def go_on() -> Iterator[WatchImportTasksResponse]:
        request = WatchImportTasksRequest(cursor=cursor)
        return client.stream(client.tasks.WatchImportTasks, request)

    for change in _lasting(go_on):
        cursor = change.cursor
        yield change


def _lasting(open_: Callable[[], Iterator[T]]) -> Iterator[T]:
    """What a stream gives, opened anew whenever it ends, and after a pause when it breaks."""
    pauses = iter(PAUSES_SECONDS)
    while True:
        try:
            for item in open_():
                pauses = iter(PAUSES_SECONDS)
                yield item
            # A server that ends each stream at once is no reason to spin.
            time.sleep(PAUSES_SECONDS[0])
        except CommandError as error:
            pause = next(pauses, None)
            if error.reason != UNAVAILABLE or pause is None:
                raise
            time.sleep(pause)


def watch_all(client: Client, *, as_json: bool) -> None:
    """Show every change from now on, one a line, until somebody ends it."""
    for change in follow_all(client):
        if as_json:
            print_json(change, indent=None)
        else:
            state = "deleted" if change.deleted else state_of(change.import_task)
            typer.echo(f"{change.import_task.name}  {state}")


def watch(client: Client, name: str, *, as_json: bool) -> int:
    """Show the task until it is final; the exit code is 1 if it failed."""
    tasks = follow(client, name)
    last = _print_each(tasks) if as_json else _show(tasks)
    return int(last.state in FAILED)


def _print_each(tasks: Iterator[ImportTask]) -> ImportTask:
    last = ImportTask()
    for task in tasks:
        if task != last:
            print_json(task, indent=None)
        last = task
    return last


def _show(tasks: Iterator[ImportTask]) -> ImportTask:
    last = ImportTask()
    with _progress() as bar:
        row = bar.add_task("", total=None, visible=False)
        for task in tasks:
            for line in _news(last, task):
                bar.console.print(line, soft_wrap=True)
            total = task.progress.total_bytes if task.progress.HasField("total_bytes") else None
            bar.update(
                row,
                description=_doing(task),
                completed=task.progress.done_bytes,
                total=total,
                visible=True,
            )
            last = task
    for line in _ending(last):
        console().print(line, soft_wrap=True)
    return last


def _news(last: ImportTask, task: ImportTask) -> Iterator[str]:
    if task.state != last.state:
        yield state_of(task)
    if task.HasField("last_failure") and task.last_failure != last.last_failure:
        yield f"will retry: {next(problem_lines([task.last_failure]))}"


def _doing(task: ImportTask) -> str:
    stage = f"{task.progress.stage}: " if task.progress.stage else ""
    again = f", attempt {task.attempts}" if task.attempts > 1 else ""
    return f"{stage}{state_of(task)}{again}"


def _progress() -> Progress:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    out = console()
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    )


def _ending(task: ImportTask) -> Iterator[str]:
    yield from problem_lines(task.problems)
    if task.record:
        yield task.record
