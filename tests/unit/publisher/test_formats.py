"""What is published of a master with this rate and these bits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.publisher.formats import FORMATS
from services.publisher.order import Order, Tags


@pytest.mark.parametrize(
    ("name", "rate", "published"),
    [
        ("wav", 192_000, 192_000),
        ("flac", 11_025, 11_025),
        ("mp3", 44_100, 44_100),
        ("mp3", 48_000, 48_000),
        ("mp3", 88_200, 44_100),
        ("mp3", 176_400, 44_100),
        ("m4a", 96_000, 48_000),
        ("m4a", 192_000, 48_000),
        ("mp3-vbr", 22_050, 44_100),
        ("mp3-vbr", 16_000, 32_000),
        ("mp3", 37_800, 32_000),
        ("mp3", 50_000, 48_000),
        ("ogg", 44_100, 48_000),
        ("opus", 192_000, 48_000),
    ],
)
def test_the_rate_makes_up_as_little_as_it_can(name: str, rate: int, published: int) -> None:
    assert FORMATS[name].rate_for(rate) == published


@pytest.mark.parametrize(
    ("depth", "kept"), [(8, 16), (16, 16), (20, 24), (24, 24), (32, 24), (64, 24)]
)
def test_no_bit_is_lost_that_the_format_can_keep(depth: int, kept: int) -> None:
    assert {FORMATS[name].coding_for(depth).depth for name in ("wav", "aiff", "flac")} == {kept}
    assert {FORMATS[name].coding_for(depth).depth for name in ("mp3", "m4a", "opus")} == {0}


def test_two_names_for_one_thing_differ_in_nothing_else() -> None:
    assert replace(FORMATS["aac"], name="m4a") == FORMATS["m4a"]
    assert replace(FORMATS["opus"], name="ogg", suffix=".ogg") == FORMATS["ogg"]
    assert all(form.name == name for name, form in FORMATS.items())


@pytest.mark.parametrize("formats", [(), ("mp3", "mp3"), ("wma",), ("mp3", "")])
def test_an_order_asks_for_known_formats_once_each(formats: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="format"):
        Order(formats=formats)


@pytest.mark.parametrize("text", ["a\0b", "\x1b[0m", "\x7f", "x" * 4097, "\ud800"])
def test_a_tag_is_text_of_a_few_lines(text: str) -> None:
    with pytest.raises(ValueError, match="The title is no text"):
        Tags(title=text)
    assert Tags(title="a\nb\tc").title == "a\nb\tc"
