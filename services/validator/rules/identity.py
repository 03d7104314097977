"""Is it a master at all? Each refusal says what the file is instead, and what would be right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.formats.kinds import Kind, Recognised
from services.validator.rules.registry import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_AUDIO = {Kind.WAVE, Kind.EAC3, Kind.AC4, Kind.TRUEHD, Kind.OTHER_AUDIO}
_MASTER = "Deliver the Dolby Atmos master: an ADM BWF file, or a stream coded with Dolby Atmos."
_LINK = "Give a link that serves the file itself, without a login or an expiry."


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file is; ``carries`` is the Atmos format that it claims to hold, empty when none."""

    recognised: Recognised
    carries: str = ""


@rule(Identity, "empty_file", fix="Export or upload the file again: nothing was written.")
def empty_file(identity: Identity, _: Profile) -> Iterator[Finding]:
    """A file without a byte holds no master."""
    if identity.recognised.kind is Kind.EMPTY:
        yield Finding(detail="The file is empty.", measured="0 bytes")


@rule(Identity, "source_is_html", fix=_LINK)
def source_is_html(identity: Identity, _: Profile) -> Iterator[Finding]:
    """An error or login page was fetched instead of the master."""
    if identity.recognised.kind is Kind.HTML:
        yield Finding(
            detail="This is a web page, not audio: the link may lead to a login or error page.",
            measured="HTML page",
        )


@rule(Identity, "source_is_text", fix=_LINK)
def source_is_text(identity: Identity, _: Profile) -> Iterator[Finding]:
    """A text was fetched instead of the master: often the error answer of a store or an API."""
    if identity.recognised.kind is Kind.TEXT:
        what = identity.recognised.description
        yield Finding(
            detail=f"This is no audio: {what}. It may be an error answer of the server.",
            measured=what,
        )


@rule(
    Identity,
    "source_encrypted",
    spec="ISO/IEC 14496-12 §8.12",
    fix="Deliver the file without DRM or other protection.",
)
def source_encrypted(identity: Identity, _: Profile) -> Iterator[Finding]:
    """What is encrypted cannot be judged."""
    if identity.recognised.kind is Kind.ENCRYPTED:
        yield Finding(
            detail="The audio is encrypted; deliver it without protection.",
            measured=identity.recognised.description,
        )


@rule(Identity, "not_recognised", fix=_MASTER)
def not_recognised(identity: Identity, _: Profile) -> Iterator[Finding]:
    """The bytes are of no kind of audio that is known here."""
    if identity.recognised.kind is Kind.UNKNOWN:
        what = identity.recognised.description
        detail = f"This is not a known kind of audio: {what}."
        yield Finding(detail=_advised(detail, identity.recognised), measured=what)


@rule(Identity, "no_atmos", fix=_MASTER)
def no_atmos(identity: Identity, _: Profile) -> Iterator[Finding]:
    """Ordinary audio: well-known, but without objects."""
    if identity.recognised.kind in _AUDIO and not identity.carries:
        what = identity.recognised.description
        detail = f"This is plain {what}: it carries no Dolby Atmos ({_lack(identity.recognised)})."
        yield Finding(
            detail=_advised(detail, identity.recognised), measured=what, allowed="Dolby Atmos"
        )


def _lack(recognised: Recognised) -> str:
    return {
        Kind.WAVE: "no axml or chna chunk",
        Kind.EAC3: "no JOC: nothing in dec3, addbsi or EMDF",
        Kind.AC4: "no object presentation and no Atmos indicator",
        Kind.TRUEHD: "no 16-channel presentation",
    }.get(recognised.kind, "none can be read from this kind of file")


@rule(
    Identity,
    "format_not_accepted",
    fix="Deliver one of the formats that the delivery profile takes.",
)
def format_not_accepted(identity: Identity, profile: Profile) -> Iterator[Finding]:
    """Immersive audio in a form that the delivery profile does not take."""
    what = identity.recognised.description
    carries = what if identity.recognised.kind is Kind.OTHER_IMMERSIVE else identity.carries
    if carries and carries not in profile.formats:
        detail = f"The delivery profile {profile.name!r} does not take this: {what}."
        yield Finding(
            detail=_advised(detail, identity.recognised),
            measured=carries,
            allowed=", ".join(sorted(profile.formats)),
        )


def _advised(detail: str, recognised: Recognised) -> str:
    return f"{detail} {recognised.advice}".rstrip()
