"""``stagedoor inspect``: the validator on a local file, without a server."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.options import AsJson  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from services.validator import inspection

REFUSED: Final = 1
NOT_READABLE: Final = 2


def inspect(
    *,
    file: Annotated[Path, typer.Argument(help="The master.")],
    profile: Annotated[str, typer.Option(help="The delivery profile.")] = "atmos",
    as_json: AsJson = False,
) -> None:
    """Check a master; exit 0 if accepted, 1 if refused, 2 if not readable."""
    from services.validator import inspection

    try:
        yardstick = inspection.load_profile(profile)
    except inspection.UnknownProfileError:
        known = ", ".join(inspection.profile_names())
        raise typer.BadParameter(f"There is no profile {profile}; known: {known}.") from None
    try:
        report = inspection.inspect(file, yardstick)
    except OSError as error:
        typer.echo(f"error: NOT_READABLE: {file}: {error.strerror or error}", err=True)
        raise typer.Exit(NOT_READABLE) from None
    if as_json:
        typer.echo(report.to_json())
    else:
        _print(report, file.name)
    raise typer.Exit(0 if report.accepted else REFUSED)


def _print(report: inspection.Report, name: str) -> None:
    from cli.output import console
    from services.validator.text import render_report

    console().print(render_report(report, name))
