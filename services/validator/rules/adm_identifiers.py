"""The identifiers of ADM elements: their forms, their numbers, and that each is given once."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.rules.adm_parts import (
    OBJECTS,
    PROFILE,
    by_identifier,
    counter_of,
    elements,
    every_element,
    number_of,
    single,
    type_of,
)
from services.validator.rules.adm_profile import MOST_OBJECTS
from services.validator.rules.registry import Finding, rule
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile
    from shared.adm.model import Element

_FORMS = {
    "audioProgramme": ("APR_wwww", r"APR_[0-9A-F]{4}"),
    "audioContent": ("ACO_wwww", r"ACO_[0-9A-F]{4}"),
    "audioObject": ("AO_wwww", r"AO_[0-9A-F]{4}"),
    "audioPackFormat": ("AP_yyyyxxxx", r"AP_[0-9A-F]{8}"),
    "audioChannelFormat": ("AC_yyyyxxxx", r"AC_[0-9A-F]{8}"),
    "audioStreamFormat": ("AS_yyyyxxxx", r"AS_[0-9A-F]{8}"),
    "audioTrackFormat": ("AT_yyyyxxxx_zz", r"AT_[0-9A-F]{8}_[0-9A-F]{2}"),
    "audioTrackUID": ("ATU_vvvvvvvv", r"ATU_[0-9A-F]{8}"),
}
_PATTERNS = {kind: re.compile(form, re.IGNORECASE) for kind, (_, form) in _FORMS.items()}
_COUNTED = ("audioPackFormat", "audioChannelFormat", "audioStreamFormat", "audioTrackFormat")
_FIRST = 0x1001
_INPUTS = range(_FIRST, 0x1081)
_OBJECT_INPUTS = range(0x100B, 0x1081)
_NO_UID = "ATU_00000000"


@rule(
    AdmMaster,
    "id_malformed",
    spec="ITU-R BS.2076 §6",
    fix="Write the identifier as its prefix and hexadecimal digits, as the clause says.",
)
def id_malformed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """An identifier has the form of its kind of element, such as AO_100b."""
    for element in every_element(master):
        if element.identifier and not _PATTERNS[element.kind].fullmatch(element.identifier):
            yield Finding(
                detail=f"{element.identifier!r} is no identifier of an {element.kind}.",
                location=element.identifier,
                measured=element.identifier,
                allowed=_FORMS[element.kind][0],
            )


@rule(
    AdmMaster,
    "id_duplicated",
    spec="ITU-R BS.2076 §6",
    fix="Give each element an identifier of its own.",
)
def id_duplicated(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """An identifier names one element."""
    counts = Counter((each.kind, each.identifier.upper()) for each in every_element(master))
    for (kind, identifier), count in counts.items():
        if identifier and count > 1:
            yield Finding(
                detail=f"{count} {kind} elements have the identifier {identifier}.",
                location=identifier,
                measured=count,
                allowed=1,
            )


@rule(
    AdmMaster,
    "programme_id_not_allowed",
    spec=PROFILE,
    fix="Give the programme the identifier APR_1001.",
)
def programme_id_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The one programme is APR_1001."""
    programmes = elements(master, "audioProgramme")
    if len(programmes) == 1 and _readable(programmes[0]):
        yield from _unless_counter(programmes[0], _FIRST, "APR_1001")


@rule(
    AdmMaster,
    "content_id_not_allowed",
    spec=PROFILE,
    fix="Number the contents in their order: ACO_1001, ACO_1002 and so on.",
)
def content_id_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Contents are numbered in their order, from ACO_1001 on."""
    for index, content in enumerate(elements(master, "audioContent")):
        if _readable(content):
            yield from _unless_counter(content, _FIRST + index, f"ACO_{_FIRST + index:04x}")


def _readable(element: Element) -> bool:
    return bool(_PATTERNS[element.kind].fullmatch(element.identifier))


def _unless_counter(element: Element, right: int, allowed: str) -> Iterator[Finding]:
    if counter_of(element.identifier) != right:
        yield Finding(
            detail=f"{element.identifier} should be {allowed}.",
            location=element.identifier,
            measured=element.identifier,
            allowed=allowed,
        )


@rule(
    AdmMaster,
    "object_id_not_allowed",
    spec=PROFILE,
    fix="Number objects as their renderer inputs: AO_1001 to AO_1080, from AO_100b on for objects.",
)
def object_id_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The number of an audioObject is its renderer input: 1 to 128, and from 11 on unless a bed.

    Input n is written 0x1000 + n; a bed with its channels must fit below the last input too.
    """
    packs = by_identifier(master, "audioPackFormat")
    objects = sum(type_of(pack) == OBJECTS for pack in packs.values())
    # More than there are inputs cannot be numbered: what is wrong then is their count.
    if objects > MOST_OBJECTS or len(elements(master, "audioTrackUID")) > len(_INPUTS):
        return
    for each in filter(_readable, elements(master, "audioObject")):
        pack = packs.get(single(each, "audioPackFormat"))
        inputs = _OBJECT_INPUTS if pack and type_of(pack) == OBJECTS else _INPUTS
        used = _inputs_of(each)
        if used and not (used[0] in inputs and used[-1] in inputs):
            yield Finding(
                detail=f"{each.identifier} is no renderer input that it may use.",
                location=each.identifier,
                measured=f"AO_{used[0]:04x} to AO_{used[-1]:04x}",
                allowed=f"AO_{inputs[0]:04x} to AO_{inputs[-1]:04x}",
            )


@rule(
    AdmMaster,
    "object_id_reserved",
    spec=PROFILE,
    fix="Leave the numbers after a bed free, one for each of its channels.",
)
def object_id_reserved(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A bed uses one renderer input per channel: no other object may have their numbers."""
    owners: dict[int, str] = {}
    for each in filter(_readable, elements(master, "audioObject")):
        for used in _inputs_of(each)[1:]:
            owners.setdefault(used, each.identifier)
    for each in filter(_readable, elements(master, "audioObject")):
        owner = owners.get(counter_of(each.identifier) or 0, each.identifier)
        if owner != each.identifier:
            yield Finding(
                detail=f"{each.identifier} is an input that the bed {owner} uses.",
                location=each.identifier,
                measured=each.identifier,
                allowed=f"a number after the channels of {owner}",
            )


def _inputs_of(each: Element) -> range:
    """Return the renderer inputs of an object: its own, and one more for each further track."""
    first = counter_of(each.identifier) or 0
    return range(first, first + max(1, len(each.refers_to("audioTrackUID"))))


@rule(
    AdmMaster,
    "format_id_not_allowed",
    spec=PROFILE,
    fix="Number packs, channels, streams and track formats from 1001 on.",
)
def format_id_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Numbers below 1001 belong to common definitions, which a master does not use."""
    for kind in _COUNTED:
        for element in filter(_readable, elements(master, kind)):
            if int(number_of(element.identifier)[4:], 16) < _FIRST:
                yield Finding(
                    detail=f"The number of {element.identifier} is below 1001.",
                    location=element.identifier,
                    measured=element.identifier,
                    allowed="1001 or more",
                )


@rule(
    AdmMaster,
    "track_format_id_not_allowed",
    spec=PROFILE,
    fix="End the identifier of each audioTrackFormat with _01.",
)
def track_format_id_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A PCM stream has one track, so each track format's identifier ends with _01."""
    for element in filter(_readable, elements(master, "audioTrackFormat")):
        if not element.identifier.endswith("_01"):
            yield Finding(
                detail=f"{element.identifier} does not end with _01.",
                location=element.identifier,
                measured=element.identifier[-3:],
                allowed="_01",
            )


@rule(
    AdmMaster,
    "track_uid_zero",
    spec=PROFILE,
    fix="Number the audioTrackUIDs from ATU_00000001 on.",
)
def track_uid_zero(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """ATU_00000000 means silence, not a track."""
    if _NO_UID in by_identifier(master, "audioTrackUID"):
        yield Finding(
            detail=f"{_NO_UID} stands for silence and cannot name a track.",
            location=_NO_UID,
            measured=_NO_UID,
            allowed="ATU_00000001 or more",
        )


@rule(
    AdmMaster,
    "track_uid_order",
    severity=Severity.WARNING,
    spec=PROFILE,
    fix="Number the audioTrackUIDs in their order: ATU_00000001, ATU_00000002 and so on.",
)
def track_uid_order(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Some tools expect UIDs that count the tracks in their order."""
    uids = elements(master, "audioTrackUID")
    # Zero and what is no UID at all have rules of their own.
    if not all(_readable(each) and each.identifier != _NO_UID for each in uids):
        return
    for index, uid in enumerate(each.identifier.upper() for each in uids):
        right = f"ATU_{index + 1:08X}"
        if uid != right:
            yield Finding(
                detail=f"{uid} is number {index + 1}.", location=uid, measured=uid, allowed=right
            )
            return
