"""Changes to XML that leave it XML: random bytes seldom come past the parser."""

from __future__ import annotations

import random
import re

import atheris  # type: ignore[import-untyped] # has no types

_TAG = re.compile(rb"<[^<>]*>")
_VALUE = re.compile(rb'(?<=")[^"<>]*(?=")|(?<=>)[^<>\s]+(?=<)')
_ELEMENT = re.compile(rb"<(\w+)[^<>]*>[^<>]*</\1>")
_ODD = (
    *(b"", b"0", b"-1", b"1e999", b"nan", b"0.5.5", b"99999999999999999999", b"\xd9\xa3"),
    *(b"00:00:00.00000", b"99:99:99.99999", b"00:00:01.1S48000", b"00:00:01.1S0", b"dB"),
    *(b"AO_1001", b"AP_00031001", b"AB_00031001_ffffffff", b"0003", b"Objects", b"&#65;", b"&lt;"),
)


def mutate_xml(data: bytes, max_size: int, seed: int) -> bytes:
    """Return XML with one part changed, doubled, dropped or moved; at times any change at all."""
    chance = random.Random(seed)
    pattern = chance.choice((_VALUE, _VALUE, _ELEMENT, _TAG, None))
    found = list(pattern.finditer(data)) if pattern else []
    if pattern is None or not found:
        return bytes(atheris.Mutate(data, max_size))
    one, other = chance.choice(found), chance.choice(found)
    values = [b"", other[0], one[0] * 2]
    if pattern is _VALUE:
        values = [*_ODD, other[0], bytes(atheris.Mutate(one[0], len(one[0]) + 20))]
    return (data[: one.start()] + chance.choice(values) + data[one.end() :])[:max_size]
