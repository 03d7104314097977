"""What ADM elements hold: all that the profile requires, and nothing that it does not list."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.rules.adm_parts import PROFILE, every_element
from services.validator.rules.adm_profile import CONTENTS, LEGACY_NAMES
from services.validator.rules.registry import Finding, rule
from shared.adm.model import Adm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from services.validator.profile import Profile
    from shared.adm.model import Element

_BLOCK = "audioBlockFormat"
_UNNAMED = "without an identifier"


def _where(element: Element) -> str:
    return element.identifier or f"{element.kind} {_UNNAMED}"


@rule(
    AdmMaster,
    "attribute_missing",
    spec=PROFILE,
    fix="Give the element the attribute that the profile requires.",
)
def attribute_missing(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Each element has the attributes that the profile requires."""
    for element in every_element(master):
        for name in sorted(CONTENTS[element.kind].required - element.attributes.keys()):
            if LEGACY_NAMES.get(name) not in element.attributes:
                yield Finding(
                    detail=f"{_where(element)} has no {name}.",
                    location=_where(element),
                    measured="nothing",
                    allowed=name,
                )


@rule(
    AdmMaster,
    "attribute_not_allowed",
    spec=PROFILE,
    fix="Leave out the attribute: the profile does not have it on this element.",
)
def attribute_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """An element has no attribute that the profile does not list for it."""
    for element in every_element(master):
        allowed = CONTENTS[element.kind].attributes
        for name in sorted(element.attributes.keys() - allowed):
            yield Finding(
                detail=f"{_where(element)} has the attribute {name}, which has no place there.",
                location=_where(element),
                measured=name,
                allowed=", ".join(sorted(allowed)),
            )


@rule(
    AdmMaster,
    "element_missing",
    spec=PROFILE,
    fix="Give the element the child that the profile requires.",
)
def element_missing(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Each element has the children that the profile requires."""
    for element, name, count, (fewest, _most) in _children(master):
        if count < fewest:
            yield Finding(
                detail=f"{_where(element)} has no {name}.",
                location=_where(element),
                measured=count,
                allowed=f"at least {fewest}",
            )


@rule(
    AdmMaster,
    "element_repeated",
    spec=PROFILE,
    fix="Keep as many of these children as the profile allows.",
)
def element_repeated(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """An element has no more children of a kind than the profile allows."""
    for element, name, count, (_fewest, most) in _children(master):
        if count > most:
            yield Finding(
                detail=f"{_where(element)} has {count} {name}.",
                location=_where(element),
                measured=count,
                allowed=f"at most {most}",
            )


def _children(master: AdmMaster) -> Iterator[tuple[Element, str, int, tuple[int, int]]]:
    """Yield each element with the name, count and bounds of each kind of child."""
    for element in every_element(master):
        counts = Counter(child.name for child in element.children)
        counts[_BLOCK] = element.blocks
        for name, bounds in CONTENTS[element.kind].children.items():
            yield element, name, counts[name], bounds


@rule(
    AdmMaster,
    "element_not_allowed",
    spec=PROFILE,
    fix="Leave out the element: the profile does not have it there.",
)
def element_not_allowed(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """An element that the profile does not list refuses the master."""
    for other in master.adm.others if isinstance(master.adm, Adm) else ():
        yield _stray(other.name, "audioFormatExtended", CONTENTS.keys())
    for element in every_element(master):
        allowed = CONTENTS[element.kind].children.keys()
        for name in dict.fromkeys(child.name for child in element.children):
            if name not in allowed:
                yield _stray(name, _where(element), allowed)


def _stray(name: str, parent: str, allowed: Iterable[str]) -> Finding:
    return Finding(
        detail=f"{parent} holds the element {name}, which has no place there.",
        location=parent,
        measured=name,
        allowed=", ".join(sorted(allowed)),
    )
