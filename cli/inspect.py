"""``stagedoor inspect``: the validator on a local file, without a server."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.errors import CommandError
from cli.options import AsJson  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.validator import inspection

REFUSED: Final = 1
NOT_READABLE: Final = 2
_STEPS: Final = {
    "structure": "reading the structure",
    "audio": "listening",
    "opinions": "asking FFmpeg and MediaInfo",
    "md5": "hashing",
}


def inspect(
    *,
    file: Annotated[Path, typer.Argument(help="The master.")],
    profile: Annotated[str, typer.Option(help="The delivery profile.")] = "atmos",
    profiles_dir: Annotated[
        Path | None,
        typer.Option(help="A folder of more profiles.", envvar="STAGEDOOR_PROFILES_DIR"),
    ] = None,
    master_type: Annotated[
        str, typer.Option(help="What the file is to be, such as dolby_atmos or cd.")
    ] = "dolby_atmos",
    html: Annotated[
        Path | None, typer.Option(help="Write the report to this file as a page, too.")
    ] = None,
    audio: Annotated[bool, typer.Option(help="Measure the samples.")] = True,
    as_json: AsJson = False,
) -> None:
    """Check a master; exit 0 if accepted, 1 if refused, 2 if not readable."""
    from services.validator import inspection

    yardstick = _profile(profile, profiles_dir)
    _check_master_type(master_type)
    try:
        with _progress() as on_progress:
            report = inspection.inspect(
                file, yardstick, master_type=master_type, audio=audio, on_progress=on_progress
            )
    except OSError as error:
        typer.echo(f"error: NOT_READABLE: {file}: {error.strerror or error}", err=True)
        raise typer.Exit(NOT_READABLE) from None
    if html is not None:
        _write_page(report, file.name, html)
    if as_json:
        typer.echo(report.to_json())
    else:
        _print(report, file.name)
    raise typer.Exit(0 if report.accepted else REFUSED)


def _profile(name: str, folder: Path | None) -> inspection.Profile:
    from services.validator import inspection

    try:
        return inspection.load_profile(name, folder)
    except inspection.UnknownProfileError:
        known = ", ".join(inspection.profile_names(folder))
        raise typer.BadParameter(f"There is no profile {name}; known: {known}.") from None
    except (inspection.BrokenProfileError, OSError) as error:
        raise typer.BadParameter(f"The profile cannot be used: {error}") from None


def _check_master_type(name: str) -> None:
    from services.validator import inspection

    known = [str(each) for each in inspection.MasterType]
    if name not in known:
        listed = ", ".join(known)
        raise typer.BadParameter(f"There is no master type {name}; known: {listed}.")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show on stderr how far each step is, if that is a terminal; nothing of it stays."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        shown = bar.add_task(_STEPS["structure"], total=None)

        def on_progress(step: str, done: int, total: int) -> None:
            known = total if total > 1 else None
            bar.update(shown, description=_STEPS[step], completed=done, total=known)

        yield on_progress


def _write_page(report: inspection.Report, name: str, target: Path) -> None:
    from services.validator.html.page import render_page

    page = render_page(report, name).encode("utf-8", "replace")
    try:
        target.write_bytes(page)
    except OSError as error:
        raise CommandError("NOT_WRITABLE", f"{target}: {error.strerror or error}") from None


def _print(report: inspection.Report, name: str) -> None:
    from cli.output import console
    from services.validator.text import render_report

    console().print(render_report(report, name))
