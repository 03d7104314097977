"""What commands print: JSON for programs, tables and lines for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp
    from rich.console import Console

    from stagedoor.v1.import_task_service_pb2 import ImportTask
    from stagedoor.v1.problem_pb2 import Problem

WIDE = 200
"""Columns of a table that no terminal limits: a program reads whole words."""


def print_json(message: Message, *, indent: int | None = 2) -> None:
    """Print a message as protobuf's JSON, fields without a value too."""
    from google.protobuf.json_format import MessageToDict

    document = MessageToDict(message, always_print_fields_with_no_presence=True)
    typer.echo(json.dumps(document, indent=indent, ensure_ascii=False))


def console() -> Console:
    """Standard output, as wide as its terminal."""
    from rich.console import Console

    out = Console(highlight=False, markup=False)
    return out if out.is_terminal else Console(highlight=False, markup=False, width=WIDE)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], more: str) -> None:
    """Print rows under headings, and how to see what follows them if ``more`` is a page token."""
    from rich.table import Table

    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    out = console()
    out.print(table)
    if more:
        out.print(f"more: --page-token {more}", soft_wrap=True)


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Print one field a line, without those that are empty."""
    width = max(len(label) for label, _ in fields)
    for label, value in fields:
        if value:
            typer.echo(f"{label:<{width}}  {value}")


def moment(stamp: Timestamp) -> str:
    """A time in UTC to the second."""
    return stamp.ToJsonString().split(".")[0].removesuffix("Z") + "Z" if stamp.seconds else ""


def state_of(task: ImportTask) -> str:
    """The task's state in lower case; the number of one that this client does not know."""
    from stagedoor.v1.import_task_service_pb2 import ImportTask

    value = ImportTask.State.DESCRIPTOR.values_by_number.get(task.state)
    return value.name.removeprefix("STATE_").lower() if value else str(task.state)


def master_type_of(task: ImportTask) -> str:
    """What kind of master it is, as ``--master-type`` takes it; a number as for states."""
    from stagedoor.v1.import_task_service_pb2 import ImportTask

    value = ImportTask.MasterType.DESCRIPTOR.values_by_number.get(task.master_type)
    return value.name.removeprefix("MASTER_TYPE_").lower() if value else str(task.master_type)


def priority_of(task: ImportTask) -> str:
    """What goes first; a number as for states."""
    from stagedoor.v1.import_task_service_pb2 import ImportTask

    value = ImportTask.Priority.DESCRIPTOR.values_by_number.get(task.priority)
    return value.name.removeprefix("PRIORITY_").lower() if value else str(task.priority)


def id_of(name: str) -> str:
    """The id in a resource name."""
    return name.rpartition("/")[2]


def problem_lines(problems: Sequence[Problem]) -> Iterator[str]:
    """Each problem as one line."""
    from stagedoor.v1.problem_pb2 import Problem

    for problem in problems:
        severity = Problem.Severity.Name(problem.severity).removeprefix("SEVERITY_").lower()
        known = (
            ("at", problem.location),
            ("measured", problem.measured),
            ("allowed", problem.allowed),
            ("see", problem.spec),
        )
        more = "; ".join(f"{label} {value}" for label, value in known if value)
        yield f"{severity} {problem.code}: {problem.detail}" + (f" ({more})" if more else "")
