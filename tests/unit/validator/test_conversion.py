"""SubRip as WebVTT: the same cues, and nothing that means something else there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.validator.formats.conversion import to_webvtt
from services.validator.formats.srt import read_srt
from services.validator.formats.webvtt import read_webvtt

TIMES = "00:00:01,250 --> 00:01:02,000"


def converted(*body: str) -> list[str]:
    """The lines of one cue's text."""
    made = to_webvtt("\n".join(["1", TIMES, *body])).splitlines()
    assert made[:4] == ["WEBVTT", "", "1", "00:00:01.250 --> 00:01:02.000"]
    return made[4:]


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("Ciao", ["Ciao"]),
        ("<i>Ciao</i>, <B>tutti</B>", ["<i>Ciao</i>, <b>tutti</b>"]),
        ('<font color="#fff">Ciao</font>', ["Ciao"]),
        (r"{\an8}Ciao", ["Ciao"]),
        (r"{\an8}", []),
        ("{so}", ["{so}"]),
        ("AT&T <3 > 2", ["AT&amp;T &lt;3 &gt; 2"]),
        ("there --> here", ["there --&gt; here"]),
    ],
)
def test_text(line: str, becomes: list[str]) -> None:
    assert converted(line) == becomes


def test_an_empty_line_does_not_end_a_cue() -> None:
    assert converted(r"{\an8}", "Ciao") == ["Ciao"]


def test_names_that_mean_something_there_are_left_out() -> None:
    assert to_webvtt(f"NOTE\n{TIMES}\nCiao\n") == to_webvtt(f"{TIMES}\nCiao\n")


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30)
CUES = st.lists(st.lists(WORDS.filter(str.strip), min_size=1, max_size=3), min_size=1, max_size=4)


@given(CUES)
def test_whatever_it_says_there_are_the_same_cues(cues: list[list[str]]) -> None:
    text = "\n\n".join("\n".join(["7", TIMES, *body]) for body in cues)
    before, after = read_srt(text), read_webvtt(to_webvtt(text))
    assert (after.header, after.stray) == (True, [])
    assert [cue.times for cue in after.cues] == [cue.times for cue in before.cues]
