"""The table of broken masters: what three tools say of each, beside the valid ones."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymediainfo import MediaInfo

from services.validator.formats.recognise import recognise
from services.validator.opinions import second_opinions
from shared.problems import Severity
from tests.support.docs.markdown import cell, table
from tests.support.docs.masters import report_on, stored, valid
from tests.support.media.broken import all_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.inspection import Report
    from services.validator.rules.opinions import Opinion
    from tests.support.media.broken import Broken

_NOTE = "<!-- Made by `make docs-validator`, which takes minutes. -->\n"
_MOST = 110


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of one file: our report, the tools' opinions, and MediaInfo's warnings."""

    broken: Broken
    report: Report
    ffmpeg: Opinion
    mediainfo: Opinion
    warnings: tuple[str, ...]

    @property
    def kind(self) -> str:
        """What the file was recognised as, to be compared with a valid one of its kind."""
        return self.report.recognised


@dataclass(frozen=True, slots=True)
class Normal:
    """What the tools say of a valid file of a kind, and so is no word on what is broken."""

    ffmpeg: tuple[Opinion, ...]
    mediainfo: tuple[Opinion, ...]
    warnings: frozenset[str]


def page() -> str:
    """Return the page; asks all tools about all files."""
    good = {about: [_ask(each) for each in files] for about, files in valid().items()}
    normal = _normal([said for group in good.values() for said in group])
    bad = [_ask(each) for each in all_files()]
    return "\n".join(
        [
            "# Broken masters, and what three tools say\n",
            _NOTE,
            _introduction(good["ADM BWF"][0]),
            _summary(bad, normal),
            "## Valid masters, in every container\n",
            table(_VALID_HEAD, (_valid_row(said) for group in good.values() for said in group)),
            "## Broken masters\n",
            table(_BROKEN_HEAD, (_broken_row(said, normal) for said in bad)),
        ]
    )


_VALID_HEAD = "| File | Stagedoor | MediaInfo | FFmpeg |"
_BROKEN_HEAD = "| Code | File | Stagedoor | MediaInfo | FFmpeg |"


def _ask(broken: Broken) -> Said:
    with tempfile.TemporaryDirectory() as folder:
        path = stored(broken, Path(folder))
        ffmpeg, mediainfo = second_opinions(path, recognise(path).kind)
        return Said(broken, report_on(broken), ffmpeg, mediainfo, tuple(_warnings(path)))


def _warnings(path: Path) -> Iterator[str]:
    read = json.loads(MediaInfo.parse(path, output="JSON"))
    for track in (read.get("media") or {}).get("track") or []:
        yield from _texts((track.get("extra") or {}).get("ConformanceWarnings"))


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for inner in node.values():
            yield from _texts(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _texts(inner)
    elif node:
        yield str(node)


def _normal(good: list[Said]) -> dict[str, Normal]:
    kinds = {said.kind: [each for each in good if each.kind == said.kind] for said in good}
    return {
        kind: Normal(
            tuple(said.ffmpeg for said in group),
            tuple(said.mediainfo for said in group),
            frozenset(text for said in group for text in said.warnings),
        )
        for kind, group in kinds.items()
    }


def _notices(opinion: Opinion, usual: tuple[Opinion, ...]) -> bool:
    """Whether a tool says anything that it does not say of valid files of the kind."""
    known = {text for each in usual for text in each.complaints}
    atmos = {each.atmos for each in usual}
    return not set(opinion.complaints) <= known or (bool(usual) and opinion.atmos not in atmos)


def _mediainfo_notices(said: Said, normal: dict[str, Normal]) -> bool:
    usual = normal.get(said.kind, Normal((), (), frozenset()))
    return _notices(said.mediainfo, usual.mediainfo) or not set(said.warnings) <= usual.warnings


def _ffmpeg_notices(said: Said, normal: dict[str, Normal]) -> bool:
    return _notices(said.ffmpeg, normal.get(said.kind, Normal((), (), frozenset())).ffmpeg)


def _introduction(said: Said) -> str:
    return (
        f"Every file is made by the tests: valid but for one thing. Stagedoor's own word here is "
        f"without the other tools' opinions. Compared with {said.mediainfo.tool} and "
        f"{said.ffmpeg.tool} (through PyAV, checksums on). A tool *notices* when it says anything "
        "that it does not say of a valid file of the same kind: an error, a warning, a frame that "
        "does not decode, or that the Atmos is gone.\n"
    )


def _summary(bad: list[Said], normal: dict[str, Normal]) -> str:
    rows = []
    for severity in Severity:
        group = [said for said in bad if _gravest(said) is severity]
        counts = (
            len(group),
            sum(said.broken.code in _codes(said) for said in group),
            sum(_mediainfo_notices(said, normal) for said in group),
            sum(_ffmpeg_notices(said, normal) for said in group),
        )
        rows.append((f"{severity}s", *map(str, counts)))
    totals = [str(sum(int(row[index]) for row in rows)) for index in range(1, 5)]
    head = "| Files with | Files | Stagedoor notices | MediaInfo notices | FFmpeg notices |"
    return table(head, [*rows, ("in all", *totals)])


def _gravest(said: Said) -> Severity:
    """The severity of what is broken in a file."""
    order = list(Severity)
    return min((each.severity for each in said.report.problems), key=order.index)


def _codes(said: Said) -> set[str]:
    return {each.code for each in said.report.problems}


def _valid_row(said: Said) -> tuple[str, ...]:
    ours = "accepted" if said.report.accepted else f"refused: {', '.join(_codes(said))}"
    return said.broken.name, ours, _words(said.mediainfo, said.warnings), _words(said.ffmpeg)


def _broken_row(said: Said, normal: dict[str, Normal]) -> tuple[str, ...]:
    ours = {f"{each.severity} {each.code}" for each in said.report.problems}
    code = f"[{said.broken.code}](codes/{said.broken.code}.md)"
    return (
        code,
        cell(said.broken.name),
        cell(", ".join(sorted(ours))),
        _marked(_words(said.mediainfo, said.warnings), noticed=_mediainfo_notices(said, normal)),
        _marked(_words(said.ffmpeg), noticed=_ffmpeg_notices(said, normal)),
    )


def _marked(words: str, *, noticed: bool) -> str:
    return f"**notices**: {words}" if noticed else f"silent: {words}"


def _words(opinion: Opinion, warnings: tuple[str, ...] = ()) -> str:
    """Say what a tool sees, how much it complains, and of what first."""
    parts = [opinion.commercial_name or opinion.format or "nothing"]
    if opinion.atmos is not None:
        parts.append("Atmos" if opinion.atmos else "no Atmos")
    if opinion.decoded or opinion.failed:
        parts.append(f"{opinion.decoded} frames decoded")
    if opinion.complaints:
        parts.append(_counted(len(opinion.complaints), "complaint", opinion.complaints[0]))
    if warnings:
        parts.append(_counted(len(warnings), "warning", warnings[0]))
    return cell("; ".join(parts))


def _counted(count: int, word: str, first: str) -> str:
    text = first if len(first) <= _MOST else f"{first[:_MOST]}..."
    return f"{count} {word}{'s' * (count > 1)} ({text})"
