"""``stagedoor verify``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.admin import DataDir, run_admin


def verify(
    *,
    tenant: Annotated[str | None, typer.Option(help="Of this one only.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Records made since: a date, or 36h, or 7d.")
    ] = None,
    rate: Annotated[int, typer.Option(min=0, help="Bytes a second at most; 0 for any.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Read the bytes of every record again; exit 0 all right, 1 something wrong, 2 could not run.

    What the store has and nobody names is told, and is no fault.
    """
    options = [f"--rate={rate}", *(["--json"] if as_json else [])]
    options += [f"--{name}={v}" for name, v in (("tenant", tenant), ("since", since)) if v]
    run_admin("verify", *options, data_dir=data_dir)
