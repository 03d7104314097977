"""A report as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from shared.problems import Severity

if TYPE_CHECKING:
    from rich.console import RenderableType

    from services.validator.inspection import Report
    from shared.problems import Format, Problem

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_ORDER = list(Severity)


def render_report(report: Report, name: str) -> RenderableType:
    """Return what rich can print: the verdict, what the file is, and the problems, errors first."""
    parts: list[RenderableType] = [_verdict(report, name), _facts(report)]
    if report.problems:
        parts.append(_problems(report.problems))
    return Group(*parts)


def _verdict(report: Report, name: str) -> Text:
    word, style = ("accepted", "bold green") if report.accepted else ("refused", "bold red")
    return Text.assemble(f"{name}: ", (word, style), f" (profile {report.profile})")


def _facts(report: Report) -> Table:
    table = Table.grid(padding=(0, 2))
    rows = [("file", report.recognised), *_format_rows(report.format)]
    rows += [("size", f"{report.size_bytes} bytes"), ("md5", report.md5)]
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
    table = Table("severity", "code", "where", "what", "measured", "allowed", "source")
    for problem in sorted(problems, key=lambda each: _ORDER.index(each.severity)):
        table.add_row(
            Text(problem.severity, style=_STYLES[problem.severity]),
            *map(Text, (problem.code, problem.location, problem.detail)),
            *map(Text, (problem.measured, problem.allowed, problem.spec)),
        )
    return table
