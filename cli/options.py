"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PageSize = Annotated[int, typer.Option(min=1, max=100, help="How many at most.")]
PageToken = Annotated[str, typer.Option(help="Where the page before ended.")]
TaskId = Annotated[str, typer.Argument(metavar="TASK", help="An id or importTasks/ID.")]
