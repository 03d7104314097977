"""Reading what clients wrote: every wrong value becomes a violation, all of them at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from services.api.domain.changes import UNSET, Unset
from services.api.domain.errors import InvalidFields, Violation
from services.api.domain.headers import (
    MAX_BYTES,
    MAX_FIELDS,
    SourceHeaders,
    is_too_much,
    kept_headers,
    wrong_headers,
)
from services.api.domain.values import is_one_line, parse_isrc, parse_md5
from shared.origin import OriginRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from shared.origin import OriginPolicy

Text = str | Unset | None
Time = timedelta | Unset | None
Headers = SourceHeaders | Unset | None

MAX_SECONDS = 86_400
"""The longest recording: a day."""


class Reader:
    """Reads the fields of one request and collects what is wrong with them, in reading order."""

    def __init__(self, required: Collection[str], *, creating: bool) -> None:
        """Take the fields that the door insists on; when creating they must also be there."""
        self._required = frozenset(required)
        self._creating = creating
        self._order: list[str] = []
        self.violations: list[Violation] = []

    def refuse(self, field: str, code: str, detail: str, member: str | None = None) -> None:
        """Note a violation, of a part of the field if it is given."""
        self.violations.append(Violation(field, code, detail, member))

    def finish(self) -> None:
        """Raise InvalidFields, in reading order, if anything was wrong."""
        if self.violations:
            raise InvalidFields(*sorted(self.violations, key=lambda v: self._order.index(v.field)))

    def is_missing(self, field: str, value: object) -> bool:
        """Whether a required value is not there; notes the violation."""
        self._order.append(field)
        absent = value is None or value == "" or (value is UNSET and self._creating)
        missing = field in self._required and absent
        if missing:
            self.refuse(field, "required", f"A value for {field} is required.")
        return missing

    def text(self, field: str, value: object, parse: Callable[[str], str | None]) -> Text:
        """A text in its stored form; empty and null both clear it; UNSET leaves it."""
        if self.is_missing(field, value) or isinstance(value, Unset):
            return UNSET
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            self.refuse(field, "invalid", f"The value of {field} must be a string.")
            return UNSET
        return parse(value)

    def isrc(self, field: str, value: object) -> Text:
        """An ISRC: 12 characters, such as USRC12345678."""

        def parse(text: str) -> str | None:
            isrc = parse_isrc(text)
            if isrc is None:
                self.refuse(field, "invalid", "An ISRC has 12 characters, such as USRC12345678.")
            return isrc

        return self.text(field, value, parse)

    def md5(self, field: str, value: object) -> Text:
        """An MD5: 32 hexadecimal digits."""

        def parse(text: str) -> str | None:
            md5 = parse_md5(text)
            if md5 is None:
                self.refuse(field, "invalid", "An MD5 has 32 hexadecimal digits.")
            return md5

        return self.text(field, value, parse)

    def source_uri(self, field: str, value: object, policy: OriginPolicy) -> Text:
        """A URL that the downloader may fetch, in its canonical form."""

        def parse(text: str) -> str | None:
            try:
                return policy.canonical(text)
            except OriginRefused as refused:
                self.refuse(field, refused.code, refused.detail)
                return None

        return self.text(field, value, parse)

    def fixed(self, field: str, value: object, known: Collection[str], present: str | None) -> None:
        """One of the known values, and of what exists already the present one."""
        self._order.append(field)
        if isinstance(value, Unset):
            return
        if present is not None and value != present:
            self.refuse(field, "invalid", f"The {field} cannot be changed.")
        elif value not in known:
            self.refuse(field, "invalid", f"There is no such {field.replace('_', ' ')}.")

    def profile(self, field: str, value: object, known: Collection[str]) -> Text:
        """The name of a delivery profile that there is."""

        def parse(text: str) -> str | None:
            if text not in known:
                names = ", ".join(sorted(known))
                self.refuse(field, "invalid", f"A delivery profile is one of {names}.")
            return text

        return self.text(field, value, parse)

    def headers(self, field: str, value: object) -> Headers:
        """Header fields by name; null and none at all both remove them; no value is told again."""
        if self.is_missing(field, value) or isinstance(value, Unset):
            return UNSET
        if value is None or value == {}:
            return None
        if not isinstance(value, Mapping) or is_too_much(value):
            detail = f"At most {MAX_FIELDS} header fields by name, {MAX_BYTES} bytes in all."
            self.refuse(field, "invalid", detail)
            return UNSET
        wrong = [*wrong_headers(value)]
        for each in wrong:
            self.refuse(field, each.code, each.detail, each.name)
        return UNSET if wrong else kept_headers(value)

    def seconds(self, field: str, value: object) -> Time:
        """A length in seconds, more than nothing and at most a day; null clears it."""
        if self.is_missing(field, value) or isinstance(value, Unset):
            return UNSET
        if value is None:
            return None
        if (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and 0 < value <= MAX_SECONDS
            # What is shorter than a microsecond is nothing.
            and (length := timedelta(seconds=value))
        ):
            return length
        detail = f"A length is a number of seconds over 0, at most {MAX_SECONDS}."
        self.refuse(field, "invalid", detail)
        return UNSET

    def title(self, field: str, value: object, limit: int) -> Text:
        """A text of at most so many characters, without leading or trailing blanks."""

        def parse(text: str) -> str | None:
            title = text.strip()
            if not (any(map(str.isprintable, title)) and is_one_line(title)):
                self.refuse(field, "invalid", "A title is one line of printable text.")
            if len(title) > limit:
                self.refuse(field, "too_long", f"A title has at most {limit} characters.")
            return title

        return self.text(field, value, parse)
