"""The audio definition model (ITU-R BS.2076) as it is kept: all elements but the blocks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ID_ATTRIBUTES = {
    "audioProgramme": "audioProgrammeID",
    "audioContent": "audioContentID",
    "audioObject": "audioObjectID",
    "audioPackFormat": "audioPackFormatID",
    "audioChannelFormat": "audioChannelFormatID",
    "audioStreamFormat": "audioStreamFormatID",
    "audioTrackFormat": "audioTrackFormatID",
    "audioTrackUID": "UID",
}
DIRECT_SPEAKERS, OBJECTS = "DirectSpeakers", "Objects"
_TYPES = {"0001": DIRECT_SPEAKERS, "0003": OBJECTS}


@dataclass(slots=True)
class Node:
    """An XML element by its local name; ``text`` is stripped, and like all values bounded."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def all(self, name: str) -> list[Node]:
        """Return the children of this name, in document order."""
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> Node | None:
        """Return the first child of this name."""
        return next((child for child in self.children if child.name == name), None)


@dataclass(slots=True)
class Element(Node):
    """One of the elements that have an identifier.

    ``blocks`` counts its audioBlockFormats, which are not among the children; only the first one of
    a DirectSpeakers channel is. ``blocks_end`` is where the last one ends, in units of 1/100,000 s,
    None when that cannot be read.
    """

    identifier: str = ""
    blocks: int = 0
    blocks_end: int | None = None

    @property
    def kind(self) -> str:
        """The element's name."""
        return self.name

    @property
    def references(self) -> tuple[tuple[str, str], ...]:
        """Pairs of the element kind that is referred to and the identifier."""
        return tuple(_references(self))

    def refers_to(self, kind: str) -> tuple[str, ...]:
        """Return the identifiers of this kind that the element refers to, in their order."""
        return tuple(identifier for each, identifier in self.references if each == kind)


def _references(node: Node) -> Iterator[tuple[str, str]]:
    for child in node.children:
        suffix = "Ref" if child.name == "audioTrackUIDRef" else "IDRef"
        if child.name.endswith(suffix):
            yield child.name.removesuffix(suffix), child.text


@dataclass(slots=True)
class Adm:
    """All elements by kind.

    ``roots`` counts the audioFormatExtended elements, ``others`` are their children that are none
    of the eight kinds, ``encoding`` is what the XML declares, empty when it does not.
    """

    roots: int = 0
    elements: dict[str, list[Element]] = field(default_factory=lambda: defaultdict(list))
    others: list[Node] = field(default_factory=list)
    encoding: str = ""

    def of(self, kind: str) -> list[Element]:
        """Return the elements of one kind, in document order."""
        return self.elements.get(kind, [])

    def __iter__(self) -> Iterator[Element]:
        """Iterate over all elements."""
        for elements in self.elements.values():
            yield from elements


def channel_type(identifier: str, attributes: dict[str, str]) -> str:
    """Return DirectSpeakers or Objects, or nothing when it is neither or contradicts itself.

    What it states are its label, its definition and the first digits of its identifier.
    """
    labels = [attributes.get("typeLabel"), identifier[3:7] or None]
    stated = {_TYPES.get(label, "") for label in labels if label is not None}
    stated |= {attributes["typeDefinition"]} if "typeDefinition" in attributes else set()
    return stated.pop() if len(stated) == 1 else ""
