"""The page: valid, whole in itself, and safe whatever the file calls itself."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import msgspec
import pytest

from cli.demo.master import Spec, write_master
from services.validator.advice import fix_of
from services.validator.html.markup import Markup, tag
from services.validator.html.page import render_page
from services.validator.inspection import Report, inspect
from services.validator.report import Point
from shared.problems import Problem, Severity
from tests.support.media.eac3 import joc_mp4
from tests.support.media.others import stereo_wave

if TYPE_CHECKING:
    from pathlib import Path

    from services.validator.profile import Profile

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\u202e"
VOID = {"meta"}


class Page(HTMLParser):
    """Reads a page; fails on an element that is not closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names)
        self.seen.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise AssertionError(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(self.text)

    def named(self, name: str) -> list[dict[str, str]]:
        return [attributes for each, attributes in self.seen if each == name]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, atmos: Profile) -> Report:
    """The report of a whole master."""
    path = tmp_path_factory.mktemp("html") / "master.wav"
    write_master(path, Spec(objects=3, seconds=2.0))
    return inspect(path, atmos)


def test_a_master_is_shown_with_all_that_is_in_it(report: Report) -> None:
    page = Page(render_page(report, "master.wav"))
    for words in ("master.wav", "accepted", "Atmos_Obj_3", "RC_Lrs", "LUFS", "MediaInfo"):
        assert words in page.words
    assert len([each for each in page.named("rect") if each.get("class") in {"bar", "hot"}]) == 13
    assert {"momentary", "level"} <= {
        each.get("class", "") for name, each in page.seen if name in {"polyline", "line"}
    }


def test_each_object_is_seen_from_above_and_from_the_side(report: Report) -> None:
    page = Page(render_page(report, "master.wav"))
    drawn = {each["id"] for _, each in page.seen if "id" in each}
    assert drawn == {f"{view}-{index}" for view in ("above", "side") for index in range(3)}
    assert {each["href"].removeprefix("#") for each in page.named("use")} == drawn


def test_front_is_up_from_above_and_left_from_the_side(report: Report) -> None:
    assert report.programme is not None
    path = (Point(0.0, -1.0, 1.0, 0.0), Point(1.0, 1.0, -1.0, 1.0))
    first = msgspec.structs.replace(report.programme.objects[0], path=path)
    programme = msgspec.structs.replace(report.programme, objects=(first,))
    page = Page(render_page(msgspec.structs.replace(report, programme=programme), "x"))
    lines = {each["id"]: each["points"] for each in page.named("polyline") if "id" in each}
    assert lines == {"above-0": "-100,-100 100,100", "side-0": "-100,0 100,-100"}


def test_an_object_that_stays_is_a_dot(report: Report) -> None:
    assert report.programme is not None
    path = (Point(0.0, 0.5, 0.0, 0.0),)
    first = msgspec.structs.replace(report.programme.objects[0], path=path)
    programme = msgspec.structs.replace(report.programme, objects=(first,))
    page = Page(render_page(msgspec.structs.replace(report, programme=programme), "x"))
    assert [(each["cx"], each["cy"]) for each in page.named("circle")] == [("50", "0"), ("0", "0")]


def test_problems_are_told_gravest_first_with_their_fix(report: Report) -> None:
    problems = (
        Problem(code="trailing_bytes", severity=Severity.WARNING, detail="w", spec="EBU 3285"),
        Problem(code="no_atmos", severity=Severity.ERROR, detail="e", measured="m", allowed="a"),
    )
    changed = msgspec.structs.replace(report, problems=problems, accepted=False)
    words = Page(render_page(changed, "x")).words
    assert words.index("no_atmos") < words.index("trailing_bytes")
    assert "refused" in words
    assert "EBU 3285" in words
    assert fix_of("no_atmos")
    assert fix_of("no_atmos") in words
    assert fix_of("there_is_no_such_code") == ""


def hostile(value: object) -> object:
    """Put the hostile text in the place of every text of a report."""
    if isinstance(value, Severity):
        return value
    if isinstance(value, str):
        return EVIL
    if isinstance(value, tuple):
        return tuple(hostile(each) for each in value)
    if isinstance(value, msgspec.Struct):
        changes = {name: hostile(getattr(value, name)) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **changes)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return dataclasses.replace(value, **{name: hostile(getattr(value, name)) for name in names})
    return value


def test_no_text_becomes_markup(report: Report) -> None:
    problem = Problem(
        code="c", severity=Severity.ERROR, detail="d", location="l", measured="m", allowed="a"
    )
    evil = hostile(msgspec.structs.replace(report, problems=(problem,)))
    assert isinstance(evil, Report)
    plain = Page(render_page(report, "x"))
    page = Page(render_page(evil, EVIL))
    assert {name for name, _ in page.seen} <= {name for name, _ in plain.seen} | {
        "article",
        "h3",
        "code",
    }
    assert not any(key.startswith("on") for _, each in page.seen for key in each)
    assert page.words.count("<script>") > 20
    assert "\u202e" not in page.text[0]


@pytest.mark.parametrize("kind", ["master", "codec", "ordinary", "empty"])
def test_nothing_is_loaded_from_anywhere(
    kind: str, report: Report, tmp_path: Path, atmos: Profile
) -> None:
    files = {"codec": joc_mp4(), "ordinary": stereo_wave(), "empty": b""}
    if kind != "master":
        path = tmp_path / kind
        path.write_bytes(files[kind])
        report = inspect(path, atmos)
    text = render_page(report, "x")
    page = Page(text)
    assert text.startswith("<!doctype html>\n<html")
    [policy] = [each for each in page.named("meta") if "http-equiv" in each]
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert not {"script", "link", "img", "iframe", "object", "base"} & {n for n, _ in page.seen}
    loading = {"src", "href", "srcset", "action", "data", "xlink:href", "style"}
    pointed = [each[key] for _, each in page.seen for key in loading & set(each)]
    assert all(each.startswith("#") for each in pointed)
    assert not re.search(r"url\(|@import|https?://", text)


def test_levels_that_are_not_there_leave_a_gap(report: Report) -> None:
    assert report.audio is not None
    moments = tuple(
        msgspec.structs.replace(each, momentary_lufs=None if index == 10 else -20.0)
        for index, each in enumerate(report.audio.moments)
    )
    audio = msgspec.structs.replace(report.audio, moments=moments, integrated_lufs=None)
    page = Page(render_page(msgspec.structs.replace(report, audio=audio), "x"))
    classes = [each.get("class") for each in page.named("polyline")]
    assert classes.count("momentary") == 2
    assert "level" not in {each.get("class") for each in page.named("line")}


def test_an_element_escapes_text_and_keeps_markup() -> None:
    inner = tag("b", "1 < 2")
    assert tag("p", inner, "&", class_='"') == '<p class="&quot;"><b>1 &lt; 2</b>&amp;</p>'
    assert isinstance(inner, Markup)
