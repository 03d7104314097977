"""The values of ADM elements: types, names, flags and times that the profile fixes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.rules.adm_parts import (
    DIRECT_SPEAKERS,
    OBJECTS,
    PROFILE,
    elements,
    every_element,
    number_of,
    type_of,
)
from services.validator.rules.registry import Finding, rule
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile
    from shared.adm.model import Element, Node

_TYPES = {DIRECT_SPEAKERS: "DirectSpeakers", OBJECTS: "Objects"}
_TYPED = ("audioPackFormat", "audioChannelFormat")
_FORMATTED = ("audioStreamFormat", "audioTrackFormat")
_PCM = {"formatLabel": "0001", "formatDefinition": "PCM"}
_FLAGS = {"interact": "0", "disableDucking": "1"}
_MIXED = ("2", "0")
_ZERO = re.compile(r"00:00:00\.0+")
_LANGUAGE = re.compile(r"[A-Za-z]{2}")
_NAME_LENGTHS = range(1, 65)
_USUAL_NAME = "Atmos_Master"
_IMPORTANCES = {str(number) for number in range(11)}
_WIDEST_SCREEN = 2.0


@rule(
    AdmMaster,
    "type_not_allowed",
    spec=PROFILE,
    fix="Use beds (DirectSpeakers) and objects only.",
)
def type_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Atmos is made of DirectSpeakers and Objects: no matrix, no ambisonics, no binaural."""
    for element in _typed(master):
        if type_of(element) not in _TYPES:
            yield Finding(
                detail=f"{element.identifier} is neither of a bed nor an object.",
                location=element.identifier,
                measured=f"typeLabel {type_of(element)!r}",
                allowed=" or ".join(_TYPES),
            )


@rule(
    AdmMaster,
    "type_contradicts_itself",
    spec="ITU-R BS.2076 §5.4, §6",
    fix="Let typeLabel, typeDefinition and the identifier's first four digits say the same type.",
)
def type_contradicts_itself(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The label of a type, its name and the digits of the identifier are one statement."""
    for element in _typed(master):
        label, definition = type_of(element), element.attributes.get("typeDefinition")
        right = _TYPES.get(label)
        if right and (
            definition not in (right, None) or number_of(element.identifier)[:4] != label
        ):
            yield Finding(
                detail=f"{element.identifier} contradicts itself about its type.",
                location=element.identifier,
                measured=f"typeLabel {label}, typeDefinition {definition}",
                allowed=f"{label}, {right}, and {label} in the identifier",
            )


def _typed(master: AdmMaster) -> Iterator[Element]:
    for kind in _TYPED:
        yield from (each for each in elements(master, kind) if "typeLabel" in each.attributes)


@rule(
    AdmMaster,
    "coding_not_allowed",
    spec=PROFILE,
    fix="State formatLabel 0001 and formatDefinition PCM.",
)
def coding_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Streams and tracks are PCM."""
    for kind in _FORMATTED:
        for element in elements(master, kind):
            yield from _fixed(element, _PCM)


@rule(
    AdmMaster,
    "object_flag_not_allowed",
    spec=PROFILE,
    fix="Leave out interact and disableDucking, or state interact 0 and disableDucking 1.",
)
def object_flag_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """An object cannot be changed by the listener, and does not make way for others."""
    for element in elements(master, "audioObject"):
        yield from _fixed(element, _FLAGS)


def _fixed(element: Element, values: dict[str, str]) -> Iterator[Finding]:
    for name, right in values.items():
        stated = element.attributes.get(name, right)
        if stated != right:
            yield Finding(
                detail=f"{element.identifier} states {name} {stated!r}.",
                location=element.identifier,
                measured=stated,
                allowed=right,
            )


@rule(
    AdmMaster,
    "object_start_not_zero",
    spec=PROFILE,
    fix="Let each object start at 00:00:00.00000 and last as long as the programme.",
)
def object_start_not_zero(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """An object lasts from the first sample to the last; what is silent is silent audio."""
    for element in elements(master, "audioObject"):
        for name in ("start", "startTime"):
            start = element.attributes.get(name, "00:00:00.0")
            if not _ZERO.fullmatch(start):
                yield Finding(
                    detail=f"{element.identifier} does not start with the programme.",
                    location=element.identifier,
                    measured=f"{name} {start}",
                    allowed="00:00:00.00000",
                )


@rule(
    AdmMaster,
    "content_not_mixed",
    spec=PROFILE,
    fix='Describe each content as <dialogue mixedContentKind="0">2</dialogue>.',
)
def content_not_mixed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A master states that it does not tell dialogue from music: dialogue 2, mixed kind 0."""
    for content in elements(master, "audioContent"):
        for dialogue in content.all("dialogue")[:1]:
            stated = (dialogue.text, dialogue.attributes.get("mixedContentKind"))
            if stated != _MIXED or len(dialogue.attributes) > 1:
                yield Finding(
                    detail=f"The dialogue of {content.identifier} is not the profile's.",
                    location=content.identifier,
                    measured=f"dialogue {dialogue.text}, {dialogue.attributes}",
                    allowed="dialogue 2, mixedContentKind 0",
                )


@rule(
    AdmMaster,
    "language_malformed",
    spec=PROFILE,
    fix="State the language with two letters (ISO 639-1), or leave it out.",
)
def language_malformed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A programme's language is a code of two letters."""
    for programme in elements(master, "audioProgramme"):
        language = programme.attributes.get("audioProgrammeLanguage")
        if language is not None and not _LANGUAGE.fullmatch(language):
            yield Finding(
                detail="The programme's language is no code of two letters.",
                location=programme.identifier,
                measured=language,
                allowed="two letters",
            )


@rule(
    AdmMaster,
    "name_length_not_allowed",
    spec=PROFILE,
    fix="Give the element a name of 1 to 64 characters.",
)
def name_length_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Names have 1 to 64 characters."""
    for element in every_element(master):
        name = element.attributes.get(f"{element.kind}Name")
        if name is not None and len(name) not in _NAME_LENGTHS:
            yield Finding(
                detail=f"The name of {element.identifier} has {len(name)} characters.",
                location=element.identifier,
                measured=f"{len(name)} characters",
                allowed="1 to 64 characters",
            )


@rule(
    AdmMaster,
    "programme_name_unusual",
    severity=Severity.WARNING,
    spec=PROFILE,
    fix=f"Name the programme {_USUAL_NAME}: some tools know a Dolby Atmos master by it.",
)
def programme_name_unusual(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Dolby's tools name the programme Atmos_Master, and some tools know a master by it."""
    for programme in elements(master, "audioProgramme"):
        name = programme.attributes.get("audioProgrammeName", _USUAL_NAME)
        if name != _USUAL_NAME and len(name) in _NAME_LENGTHS:
            yield Finding(
                detail=f"The programme is not named {_USUAL_NAME}.",
                location=programme.identifier,
                measured=name,
                allowed=_USUAL_NAME,
            )


@rule(
    AdmMaster,
    "importance_not_allowed",
    spec="ITU-R BS.2076 §5.5",
    fix="State an importance from 0 to 10, or leave it out.",
)
def importance_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The importance of a pack is a whole number from 0 to 10."""
    for pack in elements(master, "audioPackFormat"):
        importance = pack.attributes.get("importance", "10")
        if importance not in _IMPORTANCES:
            yield Finding(
                detail=f"The importance of {pack.identifier} is out of its range.",
                location=pack.identifier,
                measured=importance,
                allowed="0 to 10",
            )


@rule(
    AdmMaster,
    "reference_screen_not_allowed",
    spec=PROFILE,
    fix="Describe the screen by its screenWidth X from 0 to 2 only, or leave it out.",
)
def reference_screen_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A reference screen is a width in X from 0 to 2, and nothing else."""
    for programme in elements(master, "audioProgramme"):
        for screen in programme.all("audioProgrammeReferenceScreen")[:1]:
            if [child.name for child in screen.children] != ["screenWidth"] or not all(
                _is_width(child) for child in screen.children
            ):
                yield Finding(
                    detail="The reference screen is not one screenWidth X from 0 to 2.",
                    location=programme.identifier,
                    measured=[(child.name, child.attributes) for child in screen.children],
                    allowed="screenWidth X, 0 to 2",
                )


def _is_width(node: Node) -> bool:
    try:
        return set(node.attributes) == {"X"} and 0 <= float(node.attributes["X"]) <= _WIDEST_SCREEN
    except ValueError:
        return False


@rule(
    AdmMaster,
    "frequency_present",
    severity=Severity.WARNING,
    spec=PROFILE,
    fix="Leave out the frequency element of the channel: the label RC_LFE says it all.",
)
def frequency_present(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Some tools write a low-pass frequency for LFE, which the profile does not have."""
    for channel in elements(master, "audioChannelFormat"):
        if channel.first("frequency"):
            yield Finding(
                detail=f"{channel.identifier} states a frequency.",
                location=channel.identifier,
                measured="frequency",
                allowed="nothing",
            )


@rule(
    AdmMaster,
    "uid_sample_rate_differs",
    spec=PROFILE,
    fix="State the sample rate of the file on each audioTrackUID.",
)
def uid_sample_rate_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """An audioTrackUID states the rate of the fmt chunk."""
    for uid in elements(master, "audioTrackUID"):
        yield from _fixed(uid, {"sampleRate": str(master.fmt.sample_rate)})


@rule(
    AdmMaster,
    "uid_bit_depth_differs",
    spec=PROFILE,
    fix="State the bit depth of the file on each audioTrackUID.",
)
def uid_bit_depth_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """An audioTrackUID states the bit depth of the fmt chunk."""
    for uid in elements(master, "audioTrackUID"):
        yield from _fixed(uid, {"bitDepth": str(master.fmt.bit_depth)})
