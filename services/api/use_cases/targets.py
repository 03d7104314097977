"""Where events may be sent: HTTPS URLs that the policy lets through, and mail addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.api.domain.errors import InvalidFields, Violation
from services.api.domain.subscriptions import is_mail
from shared.origin import OriginPolicy, OriginRefused
from shared.origin.hosts import canonical_host

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.api.use_cases.fields import Reader

_MAX_LOCAL = 64
# RFC 5321 §4.1.2 dot-string, of what a mailto URI need not escape (RFC 6068 §2).
_LOCAL = re.compile(r"[A-Za-z0-9!$'*+_~-]+(?:\.[A-Za-z0-9!$'*+_~-]+)*", re.ASCII)


class TargetRefused(Exception):  # noqa: N818 - an answer, not a fault
    """Nothing is sent there; ``code`` and ``detail`` as in a Violation."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Targets:
    """The rule for targets; ``mail`` says whether there is a server to send mail by."""

    policy: OriginPolicy = field(default_factory=OriginPolicy)
    mail: bool = False

    def canonical(self, text: str) -> str:
        """The one spelling of a target that is kept. Raises TargetRefused."""
        try:
            if not is_mail(text):
                return self.policy.canonical(text)
            return self._canonical_mail(text.removeprefix("mailto:"))
        except OriginRefused as refused:
            raise TargetRefused(refused.code, refused.detail) from refused

    def require(self, field_: str, text: str) -> str:
        """As ``canonical``. Raises InvalidFields that names the field."""
        try:
            return self.canonical(text)
        except TargetRefused as refused:
            raise InvalidFields(Violation(field_, refused.code, refused.detail)) from refused

    def reader(self, reader: Reader, field_: str) -> Callable[[str], str | None]:
        """What reads a target of this field; what is refused is noted."""

        def parse(text: str) -> str | None:
            try:
                return self.canonical(text)
            except TargetRefused as refused:
                reader.refuse(field_, refused.code, refused.detail)
                return None

        return parse

    def mail_reader(self, reader: Reader, field_: str) -> Callable[[str], str | None]:
        """What reads a mail address of this field, without a scheme."""
        target = self.reader(reader, field_)

        def parse(text: str) -> str | None:
            canonical = target(f"mailto:{text}")
            return canonical and canonical.removeprefix("mailto:")

        return parse

    def _canonical_mail(self, address: str) -> str:
        if not self.mail:
            raise TargetRefused("mail_unavailable", "This server sends no mail.")
        local, at, domain = address.rpartition("@")
        name, literal = canonical_host(domain) if at else ("", None)
        if not name or literal or len(local) > _MAX_LOCAL or not _LOCAL.fullmatch(local):
            detail = "A mail address is one plain mailto:name@domain without further fields."
            raise TargetRefused("invalid", detail)
        return f"mailto:{local}@{name}"
