"""The pictures of a page: to scale, the right way round, and visible without the style sheet."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from services.validator.audio.measurement import Moment, Track
from services.validator.html.charts import loudness_chart, peak_chart
from services.validator.html.markup import tag
from services.validator.html.rooms import rooms
from services.validator.html.style import STYLE
from services.validator.report import Audio, DynamicObject, Point

EVIL = "<script>\"'&"


def audio(
    *moments: tuple[float, float | None, float | None],
    peaks: tuple[float | None, ...] = (),
    integrated: float | None = None,
) -> Audio:
    tracks = tuple(Track(number, peak, 0, 0) for number, peak in enumerate(peaks, 1))
    return Audio(
        method="m",
        frames=1,
        sample_rate=48_000,
        integrated_lufs=integrated,
        loudness_range_lu=None,
        true_peak_dbtp=None,
        loudness_margin_lu=0.0,
        true_peak_margin_db=0.0,
        tracks=tracks,
        identical=(),
        moments=tuple(Moment(*each) for each in moments),
    )


def moving(
    *places: tuple[float, float, float], name: str = "o", id_: str = "AO_1"
) -> DynamicObject:
    path = tuple(Point(float(index), *place) for index, place in enumerate(places))
    return DynamicObject(track=11, id=id_, name=name, blocks=len(path), path=path)


def drawn(markup: str) -> ET.Element:
    """Read pictures; they are XML too."""
    return ET.fromstring(f"<all>{markup}</all>")  # noqa: S314 - our own text


def classed(picture: ET.Element, name: str) -> list[ET.Element]:
    return [each for each in picture.iter() if each.get("class") == name]


def texts(picture: ET.Element) -> list[str]:
    return [each.text or "" for each in picture.iter("text")]


def test_loudness_is_drawn_to_scale() -> None:
    chart = drawn(
        loudness_chart(audio((0.0, 0.0, -30.0), (50.0, -30.0, -60.0), (100.0, -99.0, 6.0)))
    )
    [momentary], [short] = classed(chart, "momentary"), classed(chart, "short")
    assert momentary.get("points") == "34.0,6.0 377.0,89.0 720.0,172.0"
    assert short.get("points") == "34.0,89.0 377.0,172.0 720.0,6.0"
    assert not classed(chart, "level")


def test_the_axes_tell_minutes_and_decibels() -> None:
    chart = drawn(loudness_chart(audio((150.0, -20.0, -20.0))))
    levels = ["0", "-10", "-20", "-30", "-40", "-50", "-60"]
    assert texts(chart) == [*levels, "0:00", "0:25", "0:50", "1:15", "1:40", "2:05", "2:30"]
    heights = [float(each.get("y1", "")) for each in classed(chart, "grid")]
    assert heights == sorted(heights)
    assert (heights[0], heights[-1]) == (6.0, 172.0)
    times = list(chart.iter("text"))[len(levels) :]
    assert [each.get("x") for each in times][:: len(times) - 1] == ["34.0", "720.0"]
    assert [each.get("text-anchor") for each in times] == ["middle"] * 6 + ["end"]


def test_the_integrated_loudness_is_a_line_across() -> None:
    [line] = classed(drawn(loudness_chart(audio(integrated=-30.0))), "level")
    assert [line.get(each) for each in ("x1", "x2", "y1", "y2")] == ["34", "720", "89.0", "89.0"]


def test_a_gap_parts_the_line_and_nothing_is_no_line() -> None:
    parted = drawn(loudness_chart(audio((1, -20.0, None), (2, None, None), (3, -20.0, None))))
    assert len(classed(parted, "momentary")) == 2
    assert classed(parted, "short") == []
    empty = drawn(loudness_chart(audio()))
    assert classed(empty, "momentary") == []
    assert texts(empty)[-1] == "0:01"


def test_a_bar_is_as_high_as_its_peak() -> None:
    chart = drawn(peak_chart(audio(peaks=(0.0, -0.1, -0.2, None, -30.0, -60.0))))
    bars = list(chart.iter("rect"))
    tops = [(each.get("y"), each.get("height")) for each in bars]
    assert tops[0] == ("6.0", "166.0")
    assert tops[-2:] == [("89.0", "83.0"), ("172.0", "0.0")]
    assert [each.get("class") for each in bars] == ["hot", "hot", "bar", "bar", "bar"]
    titles = [each.findtext("title") for each in bars]
    assert titles[-2:] == ["track 5: -30 dBFS", "track 6: -60 dBFS"]
    width = (720 - 34) / 6
    assert [float(bars[index].get("x", "")) for index in (0, -1)] == pytest.approx(
        [34 + width * 0.1, 34 + width * 5.1], abs=0.01
    )
    assert float(bars[0].get("width", "")) == pytest.approx(width * 0.8, abs=0.01)


@pytest.mark.parametrize(
    ("tracks", "numbers"), [(0, []), (32, [*range(1, 33)]), (33, [*range(1, 34, 2)])]
)
def test_at_most_32_tracks_are_numbered(tracks: int, numbers: list[int]) -> None:
    chart = drawn(peak_chart(audio(peaks=(-6.0,) * tracks)))
    assert texts(chart)[7:] == [str(each) for each in numbers]
    assert len(list(chart.iter("rect"))) == tracks


def test_a_room_says_what_is_where() -> None:
    above, side = drawn(rooms([moving((0, 0, 0))])).findall(".//div[@class='pair']/figure/svg")
    assert [above.findtext("title"), *texts(above)] == ["The room from above", "front", "left"]
    assert [side.findtext("title"), *texts(side)] == ["The room from the side", "ceiling", "front"]


def test_objects_keep_their_colour_and_those_that_are_nowhere_have_no_room() -> None:
    still, nowhere = moving((1, 1, 1), name="", id_="AO_9"), moving()
    picture = drawn(rooms([nowhere, still, moving((0, 0, 0), (0, 0, 1))]))
    dots, paths = list(picture.iter("circle")), list(picture.iter("polyline"))
    assert [each.get("id") for each in dots] == ["above-1", "above-2", "side-1"]
    assert [each.get("id") for each in paths] == ["side-2"]
    assert dots[0].get("fill") == dots[2].get("fill") != dots[1].get("fill")
    assert dots[1].get("fill") == paths[0].get("stroke")
    assert dots[0].findtext("title") == "AO_9"
    assert [each.text for each in picture.iter("figcaption")][2:] == [
        "AO_9, track 11",
        "o, track 11",
    ]


def test_a_name_cannot_become_markup() -> None:
    picture = drawn(rooms([moving((0, 0, 0), (1, 0, 0), name=EVIL)]))
    names = [each.text for each in picture.iter("title")]
    assert names.count(EVIL) == 2
    assert f"{EVIL}, track 11" in [each.text for each in picture.iter("figcaption")]
    assert tag("a", title=EVIL) == '<a title="&lt;script&gt;&quot;&#x27;&amp;"></a>'


def test_every_picture_shows_without_the_style_sheet() -> None:
    """An unstyled shape is filled with black and has no line."""
    moments = [(1.0, -20.0, -21.0), (2.0, -19.0, -21.0)]
    sound = audio(*moments, peaks=(0.0, -6.0), integrated=-20.0)
    objects = [moving((0, 0, 0), (1, 1, 1)), moving((0, 0, 0))]
    picture = drawn(loudness_chart(sound) + peak_chart(sound) + rooms(objects))
    for shape in ("polyline", "path", "line"):
        found = list(picture.iter(shape))
        assert found
        assert all(each.get("stroke") for each in found)
        assert shape == "line" or {each.get("fill") for each in found} == {"none"}
    filled = [*picture.iter("rect"), *picture.iter("circle")]
    assert all(each.get("fill") for each in filled)
    assert all(each.get("stroke") for each in filled if each.get("fill") == "none")
    assert {each.get("font-size") for each in picture.iter("svg")} == {"10", "11"}
    strokes = [classed(picture, name)[0].get("stroke") for name in ("momentary", "short")]
    assert len(set(strokes)) == 2
    assert classed(picture, "level")[0].get("stroke-dasharray")
    assert "fill: none" not in STYLE
