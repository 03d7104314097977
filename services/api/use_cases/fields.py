"""Reading what clients wrote: every wrong value becomes a violation, all of them at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

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
from services.api.domain.lifecycle import PRIORITIES, Priority
from services.api.domain.metadata import MAX_BYTES as MAX_METADATA_BYTES
from services.api.domain.metadata import MAX_DEPTH, is_metadata
from services.api.domain.values import is_one_line, parse_isrc, parse_md5
from shared.origin import OriginRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from shared.origin import OriginPolicy

Text = str | Unset | None
Time = timedelta | Unset | None
Number = int | Unset | None
Flag = bool | Unset | None
Headers = SourceHeaders | Unset | None
Metadata = Mapping[str, Any] | Unset | None

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
        if self.is_missing(field, value) or isinstance(value, Unset):
            return
        if present is not None and value != present:
            self.refuse(field, "invalid", f"The {field} cannot be changed.")
        elif value not in known:
            self.refuse(field, "invalid", f"There is no such {field.replace('_', ' ')}.")

    def one_of(self, field: str, value: object, known: Collection[str]) -> Text:
        """One of the known values; empty and null both clear it."""

        def parse(text: str) -> str | None:
            if text not in known:
                self.refuse(field, "invalid", f"The {field} is one of {', '.join(known)}.")
            return text

        return self.text(field, value, parse)

    def priority(self, field: str, value: object) -> Priority | Unset:
        """The name of a priority; null for what a task has if nobody says more."""
        name = self.one_of(field, value, PRIORITIES)
        return name if isinstance(name, Unset) else PRIORITIES.get(name or "", Priority.INTERACTIVE)

    def profile(self, field: str, value: object, known: Collection[str]) -> Text:
        """The name of a delivery profile that there is."""

        def parse(text: str) -> str | None:
            if text not in known:
                names = ", ".join(sorted(known))
                self.refuse(field, "invalid", f"A delivery profile is one of {names}.")
            return text

        return self.text(field, value, parse)

    def precision(self, field: str, value: object, allowed: int | None) -> Number:
        """Bits of a sample: as many as masters of the type have; null clears it."""
        if self.is_missing(field, value) or isinstance(value, Unset):
            return UNSET
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and value == allowed:
            return value
        have = f"have {allowed} bits" if allowed else "ask for no number of bits"
        self.refuse(field, "invalid", f"Masters of this type {have}.")
        return UNSET

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

    def flag(self, field: str, value: object) -> Flag:
        """True or false; null clears it."""
        if self.is_missing(field, value) or isinstance(value, Unset):
            return UNSET
        if value is None or isinstance(value, bool):
            return value
        self.refuse(field, "invalid", f"The {field.replace('_', ' ')} are true or false.")
        return UNSET

    def count(self, field: str, value: object, most: int) -> int | None:
        """A number of bytes from 1 to ``most``; None for none and for 0."""
        self._order.append(field)
        if isinstance(value, Unset) or value is None or value == 0:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most:
            return value
        words = field.replace("_", " ")
        self.refuse(field, "invalid", f"The {words} is at most {most} bytes.")
        return None

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

    def metadata(self, field: str, value: object) -> Metadata:
        """A JSON object of the client's own; null clears it."""
        if self.is_missing(field, value) or isinstance(value, Unset):
            return UNSET
        if value is None:
            return None
        if isinstance(value, dict) and is_metadata(value):
            return value
        detail = (
            f"The {field.replace('_', ' ')} is an object of at most {MAX_METADATA_BYTES} bytes as"
            f" JSON, {MAX_DEPTH} levels deep."
        )
        self.refuse(field, "invalid", detail)
        return UNSET

    def line(self, field: str, value: object, limit: int, *, strip: bool = True) -> Text:
        """One line of at most so many characters, without leading or trailing blanks."""

        def parse(text: str) -> str | None:
            line, words = text.strip() if strip else text, field.replace("_", " ")
            if not (any(map(str.isprintable, line)) and is_one_line(line)):
                self.refuse(field, "invalid", f"The {words} must be one line of printable text.")
            if len(line) > limit:
                self.refuse(field, "too_long", f"The {words} has at most {limit} characters.")
            return line

        return self.text(field, value, parse)
