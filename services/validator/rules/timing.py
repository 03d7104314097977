"""How long the programme, the objects and their blocks hold, down to the sample."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.rules.registry import Finding, rule
from shared.adm.model import OBJECTS, Adm, channel_type
from shared.adm.times import UNITS_PER_SECOND, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile
    from shared.adm.model import Element

_PROFILE = "Dolby Atmos Master ADM Profile v1.0"
_BLOCKS = f"{_PROFILE}, audioBlockFormat; ITU-R BS.2076 §5.4.3"
_SYNTAX = "hh:mm:ss.fffff"
_TIMES = {"audioProgramme": ("start", "end"), "audioObject": ("start", "duration")}
# Five decimals are coarser than a sample, so that times may be off by one unit of the last one.
_ROUNDING = 1
# A real master has 128; many references to the same things must not multiply.
_MAX_PAIRS = 100_000


@rule(
    AdmMaster,
    "time_malformed",
    spec=f"{_PROFILE}; ITU-R BS.2076-0 §3",
    fix="Write the times of programmes and objects as hh:mm:ss.fffff, with five decimals.",
)
def time_malformed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A start, end or duration that is no time leaves open what the programme covers."""
    for element in master.adm if isinstance(master.adm, Adm) else ():
        for name in _TIMES.get(element.kind, ()):
            text = element.attributes.get(name)
            if text is not None and _is_malformed(text):
                yield _malformed(element.identifier, name, text)


def _is_malformed(text: str) -> bool:
    return parse_time(text) is None


def _malformed(location: str, name: str, text: str) -> Finding:
    return Finding(
        detail=f"The {name} is no time.", location=location, measured=text, allowed=_SYNTAX
    )


@rule(
    AdmMaster,
    "blocks_end_wrong",
    spec=_BLOCKS,
    fix="Let the last block of each object end with the object: rtime + duration is the object's"
    " duration.",
)
def blocks_end_wrong(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The blocks of an object cover it to its last sample."""
    for element, channel in islice(_channels_of_objects(master), _MAX_PAIRS):
        duration = parse_time(element.attributes.get("duration", ""))
        end = channel.blocks_end
        if duration is None or end is None or _agree(end, duration, master.fmt.sample_rate):
            continue
        yield Finding(
            detail=f"The last block of {channel.identifier} does not end with"
            f" {element.identifier}.",
            location=channel.identifier,
            measured=_seconds(end),
            allowed=_seconds(duration),
        )


def _channels_of_objects(master: AdmMaster) -> Iterator[tuple[Element, Element]]:
    """Yield each audioObject with each channel of type Objects of its packs."""
    if not isinstance(master.adm, Adm):
        return
    packs = {each.identifier.upper(): each for each in master.adm.of("audioPackFormat")}
    channels = {each.identifier.upper(): each for each in master.adm.of("audioChannelFormat")}
    for element in master.adm.of("audioObject"):
        for pack in _found(element, "audioPackFormat", packs):
            for channel in _found(pack, "audioChannelFormat", channels):
                if channel_type(channel.identifier, channel.attributes) == OBJECTS:
                    yield element, channel


def _found(element: Element, kind: str, known: dict[str, Element]) -> Iterator[Element]:
    for identifier in element.refers_to(kind):
        if identifier.upper() in known:
            yield known[identifier.upper()]


@rule(
    AdmMaster,
    "programme_duration_differs",
    spec=f"{_PROFILE}, audioProgramme",
    fix="Set the programme's end to its start plus the length of the audio.",
)
def programme_duration_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The programme is as long as the audio, to the sample."""
    for programme in _of(master, "audioProgramme"):
        start = parse_time(programme.attributes.get("start", ""))
        end = parse_time(programme.attributes.get("end", ""))
        if start is not None and end is not None:
            yield from _against_audio(master, programme, end - start)


@rule(
    AdmMaster,
    "object_duration_differs",
    spec=f"{_PROFILE}, audioObject",
    fix="Set the duration of every audioObject to the length of the audio.",
)
def object_duration_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Each bed and each object is as long as the audio, to the sample."""
    for element in _of(master, "audioObject"):
        duration = parse_time(element.attributes.get("duration", ""))
        if duration is not None:
            yield from _against_audio(master, element, duration)


def _of(master: AdmMaster, kind: str) -> list[Element]:
    return master.adm.of(kind) if isinstance(master.adm, Adm) else []


def _against_audio(master: AdmMaster, element: Element, duration: int) -> Iterator[Finding]:
    rate = master.fmt.sample_rate
    audio = master.frames * UNITS_PER_SECOND / rate
    if not _agree(duration, audio, rate):
        yield Finding(
            detail=f"{element.identifier} is not as long as the audio.",
            location=element.identifier,
            measured=f"{duration * rate / UNITS_PER_SECOND:.1f} samples",
            allowed=f"{master.frames} samples",
        )


def _agree(one: float, other: float, rate: int) -> bool:
    """Whether two times are the same to one sample and the rounding of what is written."""
    return abs(one - other) <= UNITS_PER_SECOND / rate + _ROUNDING


def _seconds(units: int) -> str:
    return f"{units / UNITS_PER_SECOND:.5f} s"
