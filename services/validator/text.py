"""A report as a table for people, and the words that its page uses too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.advice import fix_of
from services.validator.report import gravest_first
from shared.problems import Severity

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from services.validator.report import Audio, Report
    from shared.problems import Format, Problem

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def facts(report: Report) -> list[tuple[str, str]]:
    """Return what the file is, as labels and values."""
    rows = [("file", report.recognised), ("judged as", report.master_type)]
    rows += _format_rows(report.format)
    return [*rows, ("size", f"{report.size_bytes} bytes"), ("md5", report.md5)]


def audio_rows(audio: Audio) -> list[tuple[str, str]]:
    """Return what was measured, as labels and values; what has no value is left out."""
    loudness, peak = audio.loudness_margin_lu, audio.true_peak_margin_db
    values = [
        ("loudness", audio.integrated_lufs, f"LUFS, give or take {loudness:g}"),
        ("range", audio.loudness_range_lu, "LU"),
        ("true peak", audio.true_peak_dbtp, f"dBTP, give or take {peak:g}"),
    ]
    rows = [(label, f"{value:.1f} {unit}") for label, value, unit in values if value is not None]
    return [*rows, ("measured on", audio.method)]


def location_of(problem: Problem) -> str:
    """Return where a problem is, the whole file if nothing more is known."""
    return problem.location or "the file"


def render_report(report: Report, name: str) -> RenderableType:
    """Return what rich can print: the verdict, what the file is, and the problems, errors first."""
    from rich.console import Group

    rows = facts(report) + (audio_rows(report.audio) if report.audio else [])
    parts: list[RenderableType] = [_verdict(report, name), _grid(rows)]
    if report.problems:
        parts.append(_problems(report.problems))
    return Group(*parts)


def _verdict(report: Report, name: str) -> Text:
    from rich.text import Text

    word, style = ("accepted", "bold green") if report.accepted else ("refused", "bold red")
    return Text.assemble(f"{name}: ", (word, style), f" (profile {report.profile})")


def _grid(rows: list[tuple[str, str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for label, value in rows:
        table.add_row(Text(label, style="dim"), Text(value))
    return table


def _format_rows(seen: Format) -> list[tuple[str, str]]:
    values = [
        ("codec", seen.codec),
        ("rate", f"{seen.sample_rate_hertz} Hz" if seen.sample_rate_hertz else ""),
        ("depth", f"{seen.bit_depth} bits" if seen.bit_depth else ""),
        ("channels", str(seen.channels) if seen.channels else ""),
        ("bed", f"{seen.bed_channels} channels" if seen.bed_channels else ""),
        ("objects", str(seen.objects) if seen.objects else ""),
        ("length", f"{seen.duration_seconds:.3f} s" if seen.duration_seconds else ""),
    ]
    return [(label, value) for label, value in values if value]


def _problems(problems: tuple[Problem, ...]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("severity", "code", "where", "what, and what to do", "measured", "allowed")
    for problem in gravest_first(problems):
        table.add_row(
            Text(problem.severity, style=_STYLES[problem.severity]),
            *map(Text, (problem.code, location_of(problem))),
            _told(problem),
            *map(Text, (problem.measured, problem.allowed)),
        )
    return table


def _told(problem: Problem) -> Text:
    """Return what is wrong, the cure and the clause, one below the other."""
    from rich.text import Text

    text = Text(problem.detail)
    for more, style in ((fix_of(problem.code), "green"), (problem.spec, "dim")):
        if more:
            text.append(f"\n{more}", style=style)
    return text
