"""Values and bytes that are wrong in ways that have broken servers before."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

NASTY = (
    *("", " ", "\x00", "a\x00b", "\t", "\r\n", "\u202e", "\ufeff", "\ufffd", "é", "e\u0301", "🎧"),
    *("null", "true", "NaN", "Infinity", "-0", "1e999", "9" * 400, "0x10", "٣", "²", "-1", "1.5"),
    *("a" * 3000, "%", "%00", "%zz", "%c0%ae", "../..", "'; --", '"', "\\", "<b>", "{}", "[]"),
    *("https://", "https://[", "https://[::1", "https://a:99999/", "https://a:x/", "https://\x00/"),
    *("https://a b/", "https://user:pass@a/", "http://127.0.0.1/", "file:///etc/passwd", "//a"),
    *(
        "https://" + "a" * 70 + ".com/",
        "https://xn--a/",
        "https://‥/",
        "https://\U0001d552.com/",
        "javascript:",
    ),
    *(
        "USRC12345678",
        "usrc12345678",
        "US-RC1-23-45678",
        "\uff35\uff33\uff32\uff2312345678",
        "0" * 32,
        "f" * 32,
    ),
    *("00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}"),
    *("urn:uuid:00000000-0000-0000-0000-000000000000", "f" * 33, "createdAt", "-createdAt", "id"),
    *("9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "__proto__", "data"),
)
SURROGATE = "\ud800"
TEXTS = st.sampled_from(NASTY) | st.text(max_size=40)
NUMBERS = (
    st.integers() | st.sampled_from([2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**400]) | st.floats()
)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | st.just(SURROGATE),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """The bytes with up to six wounds: bytes changed, cut out, put in or repeated."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        put_in = draw(st.binary(max_size=8) | st.just(bytes(data[start:end]) * 2))
        data[start:end] = put_in
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 7)) == 0 else data)


@st.composite
def altered(draw: st.DrawFn, document: Any) -> Any:
    """The document with up to three members replaced, removed, renamed or added."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(changed))
        if not places:
            return draw(JSON_VALUES)
        holder, key = draw(st.sampled_from(places))
        _alter(draw, holder, key)
    return changed


def _alter(draw: st.DrawFn, holder: Any, key: Any) -> None:
    action = draw(st.sampled_from(["replace", "replace", "remove", "rename", "add"]))
    if action == "replace":
        holder[key] = draw(JSON_VALUES)
    elif action == "remove" or isinstance(holder, list):
        del holder[key]
    elif action == "rename":
        holder[draw(TEXTS)] = holder.pop(key)
    else:
        holder[draw(TEXTS)] = draw(JSON_VALUES)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every member of every object and array."""
    inside: Any = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for key, member in inside:
        yield value, key
        yield from _places(member)
