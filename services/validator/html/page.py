"""The page: verdict, problems, programme, sound, paths."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from services.validator.advice import fix_of
from services.validator.html.charts import loudness_chart, peak_chart
from services.validator.html.markup import Markup, joined, raw, tag
from services.validator.html.rooms import rooms
from services.validator.html.style import STYLE
from services.validator.report import gravest_first
from services.validator.rules.registry import clean
from services.validator.text import audio_rows, facts, location_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.validator.report import Audio, Bed, Programme, Report
    from services.validator.rules.opinions import Opinion
    from shared.problems import Problem, Severity

# Nothing may be loaded or run, whatever the file's texts try.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_TITLES = {"error": "Errors", "warning": "Warnings", "info": "Worth knowing"}


def render_page(report: Report, name: str) -> str:
    """Return a report as a whole HTML document; ``name`` is the file's."""
    title = clean(name)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{title}: {_verdict(report)}"),
        tag("style", raw(STYLE)),
    )
    body = tag("body", *_head(report, title), *_sections(report))
    return raw("<!doctype html>\n") + tag("html", head, body, lang="en") + "\n"


def _verdict(report: Report) -> str:
    return "accepted" if report.accepted else "refused"


def _head(report: Report, title: str) -> Iterator[Markup]:
    word = _verdict(report)
    yield tag("h1", title)
    yield tag("p", tag("span", word, class_=f"verdict {word}"), f" by the profile {report.profile}")
    yield _rows(facts(report))


def _sections(report: Report) -> Iterator[Markup]:
    for severity, problems in groupby(gravest_first(report.problems), lambda each: each.severity):
        yield from _problems(severity, list(problems))
    if report.audio:
        yield from _sound(report.audio)
    if report.programme:
        yield from _programme(report.programme)
    if report.opinions:
        yield tag("h2", "Second opinions")
        yield tag("ul", *(tag("li", _opinion(each)) for each in report.opinions))
    yield tag("p", f"Stagedoor {report.validator}", class_="soft")


def _rows(rows: Sequence[tuple[str, str]]) -> Markup:
    return tag("dl", *(joined((tag("dt", label), tag("dd", value))) for label, value in rows))


def _problems(severity: Severity, problems: Sequence[Problem]) -> Iterator[Markup]:
    yield tag("h2", f"{_TITLES[severity]} ({len(problems)})")
    for each in problems:
        yield _problem(each)


def _problem(problem: Problem) -> Markup:
    rows = [
        ("where", location_of(problem)),
        ("measured", problem.measured),
        ("allowed", problem.allowed),
        ("to do", fix_of(problem.code)),
        ("see", problem.spec),
    ]
    return tag(
        "article",
        tag("h3", tag("code", problem.code)),
        tag("p", problem.detail),
        _rows([row for row in rows if row[1]]),
        class_=f"problem {problem.severity}",
    )


def _sound(audio: Audio) -> Iterator[Markup]:
    yield tag("h2", "Sound")
    yield _rows(audio_rows(audio))
    if audio.moments:
        caption = "Momentary (thin), short-term and integrated (dashed) loudness in LUFS"
        yield tag("figure", loudness_chart(audio), tag("figcaption", caption))
    yield tag("figure", peak_chart(audio), tag("figcaption", "Peak of each track in dBFS"))


def _programme(programme: Programme) -> Iterator[Markup]:
    yield tag("h2", "Programme")
    beds = [tag("li", *_bed(each)) for each in programme.beds]
    objects = [
        tag("li", f"{each.name} ({each.id}): track {each.track}, {each.blocks} blocks")
        for each in programme.objects
    ]
    tree = tag("li", f"{programme.name} ({programme.id})", _list([*beds, *objects]))
    yield tag("ul", tree)
    if any(each.path for each in programme.objects):
        yield tag("h2", "Where the objects go")
        yield rooms(programme.objects)


def _bed(bed: Bed) -> Iterator[str]:
    yield f"{bed.name} ({bed.id}): bed of {len(bed.channels)}"
    yield _list(
        [
            tag("li", f"track {each.track}: {each.speaker} {each.name} ({each.id})")
            for each in bed.channels
        ]
    )


def _list(items: Sequence[Markup]) -> Markup:
    return tag("ul", *items) if items else joined(())


def _opinion(opinion: Opinion) -> str:
    sees = {True: "sees Atmos", False: "sees no Atmos", None: "cannot tell Atmos"}[opinion.atmos]
    said = [opinion.commercial_name or opinion.format, sees]
    if opinion.decoded or opinion.failed:
        said.append(f"{opinion.decoded} frames decoded, {opinion.failed} failed")
    return f"{opinion.tool}: " + "; ".join([each for each in said if each] + [*opinion.complaints])
