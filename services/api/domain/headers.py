"""The header fields that a private origin asks for: which are allowed, and that nobody sees them.

RFC 9110 sections 5.1 (names), 5.5 (values) and 5.6.2 (tokens).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_FIELDS = 16
MAX_BYTES = 8 * 1024
"""Of names and values together."""

NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
VALUE = r"^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$"
"""A value without the blanks around it."""

_NAME, _VALUE = re.compile(NAME, re.ASCII), re.compile(VALUE, re.ASCII)
_BLANKS = " \t"
# What frames the message, belongs to the connection, or is the downloader's own business.
_RESERVED = frozenset(
    {
        "accept-encoding",
        "connection",
        "expect",
        "host",
        "keep-alive",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
_RESERVED_PREFIXES = ("content-", "if-", "proxy-")


@dataclass(frozen=True, slots=True)
class SourceHeaders:
    """Header fields by name; secrets are among them, so that the repr shows none."""

    fields: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class WrongHeader:
    """What is wrong with one field; ``name`` is as the client wrote it."""

    name: str
    code: str
    detail: str


def kept_headers(given: Mapping[str, object]) -> SourceHeaders:
    """Fields of which nothing is wrong, in their stored form: without blanks around the values."""
    return SourceHeaders({name: str(value).strip(_BLANKS) for name, value in given.items()})


def is_too_much(given: Mapping[str, object]) -> bool:
    """Whether these are too many fields, or too long together."""
    texts = (str(text) for field_ in given.items() for text in field_)
    length = sum(len(text.encode(errors="replace")) for text in texts)
    return len(given) > MAX_FIELDS or length > MAX_BYTES


def wrong_headers(given: Mapping[str, object]) -> Iterator[WrongHeader]:
    """What is wrong with each field, in order; no value is told again."""
    seen: set[str] = set()
    for name, value in given.items():
        lower = name.lower()
        if not _NAME.fullmatch(name):
            yield WrongHeader(name, "invalid", "This is no name of a header field.")
        elif lower in _RESERVED or lower.startswith(_RESERVED_PREFIXES):
            yield WrongHeader(name, "header_refused", "This header field cannot be set.")
        elif lower in seen:
            yield WrongHeader(name, "invalid", "This header field is given twice.")
        elif not (isinstance(value, str) and _VALUE.fullmatch(value.strip(_BLANKS))):
            detail = "The value of this header field must be visible ASCII, blanks and tabs."
            yield WrongHeader(name, "invalid", detail)
        seen.add(lower)
