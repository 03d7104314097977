"""How the rules look at the audio definition model of a master."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.adm.model import Adm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.formats.adm_bwf import AdmMaster
    from shared.adm.model import Element

PROFILE = "Dolby Atmos Master ADM Profile v1.0"
DIRECT_SPEAKERS = "0001"
OBJECTS = "0003"
# The eight digits of an identifier's type and counter: AC_00031001 -> 00031001.
_NUMBER = slice(3, 11)


def elements(master: AdmMaster, kind: str) -> list[Element]:
    """Return the elements of one kind in document order; none when the XML cannot be read."""
    return master.adm.of(kind) if isinstance(master.adm, Adm) else []


def every_element(master: AdmMaster) -> Iterator[Element]:
    """Yield all elements that have an identifier."""
    if isinstance(master.adm, Adm):
        yield from master.adm


def by_identifier(master: AdmMaster, kind: str) -> dict[str, Element]:
    """Return the elements of one kind by their identifiers in upper case."""
    return {each.identifier.upper(): each for each in elements(master, kind)}


def single(element: Element, kind: str) -> str:
    """Return the one identifier of this kind that is referred to, in upper case; else nothing."""
    identifiers = element.refers_to(kind)
    return identifiers[0].upper() if len(identifiers) == 1 else ""


def number_of(identifier: str) -> str:
    """Return type and counter of an AP, AC, AS or AT identifier: its eight hexadecimal digits."""
    return identifier[_NUMBER].upper()


def counter_of(identifier: str) -> int | None:
    """Return the four last hexadecimal digits of an APR, ACO, AO, AP, AC or AS identifier."""
    try:
        return int(identifier[-4:], 16)
    except ValueError:
        return None


def type_of(element: Element) -> str:
    """Return the type label of a pack or a channel."""
    return element.attributes.get("typeLabel", "")
