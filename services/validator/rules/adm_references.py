"""References between ADM elements: each leads somewhere, and nothing is left over."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.rules.adm_graph import references, whole_graph
from services.validator.rules.adm_parts import OBJECTS, PROFILE, elements, every_element, type_of
from services.validator.rules.registry import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile
    from shared.adm.model import Element

# Who refers to an element of each kind, in the chain from an object to its audio.
_CHAIN = {
    "audioPackFormat": "audioObject",
    "audioTrackUID": "audioObject",
    "audioChannelFormat": "audioPackFormat",
    "audioTrackFormat": "audioTrackUID",
    "audioStreamFormat": "audioTrackFormat",
}
_PARTS = {"audioContent": "audioProgramme", "audioObject": "audioContent"}


@rule(
    AdmMaster,
    "reference_unresolved",
    spec="ITU-R BS.2076 §5",
    fix="Describe the element that is referred to, or correct the reference.",
)
def reference_unresolved(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """What is referred to is there: a master has no common definitions outside the file."""
    known = {(each.kind, each.identifier.upper()) for each in every_element(master)}
    for element in every_element(master):
        for kind, identifier in references(element):
            if (kind, identifier.upper()) not in known:
                yield Finding(
                    detail=f"{element.identifier} refers to {identifier}, which is not there.",
                    location=element.identifier,
                    measured=identifier,
                    allowed=f"the identifier of an {kind}",
                )


@rule(
    AdmMaster,
    "reference_repeated",
    spec=PROFILE,
    fix="Refer to each element once.",
)
def reference_repeated(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """An element refers to another one once."""
    for element in every_element(master):
        counts = Counter(identifier.upper() for _, identifier in references(element))
        for identifier, count in counts.items():
            if count > 1:
                yield Finding(
                    detail=f"{element.identifier} refers to {identifier} {count} times.",
                    location=element.identifier,
                    measured=count,
                    allowed=1,
                )


@rule(
    AdmMaster,
    "not_in_programme",
    spec=PROFILE,
    fix="Refer to each content from the programme, and to each object from a content.",
)
def not_in_programme(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """What is not part of the programme would never be heard."""
    if not whole_graph(master).nodes:
        return
    for kind, parent in _PARTS.items():
        counts = _references_from(master, parent, kind)
        for element in elements(master, kind):
            if not counts[element.identifier.upper()]:
                yield Finding(
                    detail=f"{element.identifier} is not part of the programme.",
                    location=element.identifier,
                    measured="no reference",
                    allowed=f"a reference from an {parent}",
                )


@rule(
    AdmMaster,
    "reference_count_wrong",
    spec=PROFILE,
    fix="Give each object its own pack, UIDs, channels, streams and tracks, and leave none over.",
)
def reference_count_wrong(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Each pack, channel, stream, track and UID is used exactly once on the way to an object."""
    if not whole_graph(master).nodes or any(_miscounted(master)):
        return
    for kind, parent in _CHAIN.items():
        counts = _references_from(master, parent, kind)
        for element in elements(master, kind):
            count = counts[element.identifier.upper()]
            if count != 1:
                yield Finding(
                    detail=f"{element.identifier} is referred to by {count} {parent} elements.",
                    location=element.identifier,
                    measured=count,
                    allowed=1,
                )


def _references_from(master: AdmMaster, parent: str, kind: str) -> Counter[str]:
    return Counter(
        identifier.upper()
        for element in elements(master, parent)
        for identifier in element.refers_to(kind)
    )


@rule(
    AdmMaster,
    "object_track_count_differs",
    spec=PROFILE,
    fix="Refer to one audioTrackUID for each channel of the object's pack.",
)
def object_track_count_differs(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A bed or an object has one track for each channel of its pack."""
    for element, channels in _miscounted(master):
        yield Finding(
            detail=f"{element.identifier} has not one track per channel of its pack.",
            location=element.identifier,
            measured=len(element.refers_to("audioTrackUID")),
            allowed=channels,
        )


def _miscounted(master: AdmMaster) -> Iterator[tuple[Element, int]]:
    """Yield objects that have more or fewer tracks than their pack has channels, and that count."""
    graph = whole_graph(master)
    for element in graph.of("audioObject"):
        pack = graph.one(element, "audioPackFormat")
        channels = len(pack.refers_to("audioChannelFormat"))
        if len(element.refers_to("audioTrackUID")) != channels:
            yield element, channels


@rule(
    AdmMaster,
    "object_channel_count",
    spec=PROFILE,
    fix="Make one object of each channel that moves.",
)
def object_channel_count(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """A pack of type Objects holds one channel."""
    for pack in elements(master, "audioPackFormat"):
        channels = len(pack.refers_to("audioChannelFormat"))
        if type_of(pack) == OBJECTS and channels > 1:
            yield Finding(
                detail=f"The object {pack.identifier} has {channels} channels.",
                location=pack.identifier,
                measured=channels,
                allowed=1,
            )
