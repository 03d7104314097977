"""Is it a master at all? Each refusal says what the file is instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.formats.recognise import Kind, Recognised
from services.validator.rules.registry import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_AUDIO = {Kind.WAVE, Kind.EAC3, Kind.AC4, Kind.OTHER_AUDIO}


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file is; ``carries`` is the Atmos format that it claims to hold, empty when none."""

    recognised: Recognised
    carries: str = ""


@rule(Identity, "empty_file")
def empty_file(identity: Identity, _: Profile) -> Iterator[Finding]:
    """A file without a byte holds no master."""
    if identity.recognised.kind is Kind.EMPTY:
        yield Finding(detail="The file is empty.", measured="0 bytes")


@rule(Identity, "source_is_html")
def source_is_html(identity: Identity, _: Profile) -> Iterator[Finding]:
    """An error or login page was fetched instead of the master."""
    if identity.recognised.kind is Kind.HTML:
        yield Finding(
            detail="This is a web page, not audio: the link may lead to a login or error page.",
            measured="HTML page",
        )


@rule(Identity, "source_encrypted", spec="ISO/IEC 14496-12 §8.12")
def source_encrypted(identity: Identity, _: Profile) -> Iterator[Finding]:
    """What is encrypted cannot be judged."""
    if identity.recognised.kind is Kind.ENCRYPTED:
        yield Finding(
            detail="The audio is encrypted; deliver it without protection.",
            measured=identity.recognised.description,
        )


@rule(Identity, "not_recognised")
def not_recognised(identity: Identity, _: Profile) -> Iterator[Finding]:
    """The bytes are of no kind of audio that is known here."""
    if identity.recognised.kind is Kind.UNKNOWN:
        what = identity.recognised.description
        yield Finding(detail=f"This is not a known kind of audio: {what}.", measured=what)


@rule(Identity, "no_atmos")
def no_atmos(identity: Identity, _: Profile) -> Iterator[Finding]:
    """Ordinary audio: well-known, but without objects."""
    if identity.recognised.kind in _AUDIO and not identity.carries:
        what = identity.recognised.description
        lack = _lack(identity.recognised)
        yield Finding(
            detail=f"This is plain {what}: it carries no Dolby Atmos ({lack}).",
            measured=what,
            allowed="Dolby Atmos",
        )


def _lack(recognised: Recognised) -> str:
    return {
        Kind.WAVE: "no axml or chna chunk",
        Kind.EAC3: "no JOC: nothing in dec3, addbsi or EMDF",
        Kind.AC4: "no object presentation and no Atmos indicator in dac4",
    }.get(recognised.kind, "this codec has none")


@rule(Identity, "format_not_accepted")
def format_not_accepted(identity: Identity, profile: Profile) -> Iterator[Finding]:
    """Immersive audio in a form that the delivery profile does not take."""
    what = identity.recognised.description
    carries = what if identity.recognised.kind is Kind.OTHER_IMMERSIVE else identity.carries
    if carries and carries not in profile.formats:
        yield Finding(
            detail=f"The delivery profile {profile.name!r} does not take this: {what}.",
            measured=carries,
            allowed=", ".join(sorted(profile.formats)),
        )
