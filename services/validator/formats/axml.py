"""The axml chunk: the audio definition model (ITU-R BS.2076), read as a stream of elements."""

from __future__ import annotations

import io
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lxml import etree

from services.validator.formats.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.formats.riff import Chunk
    from services.validator.formats.source import Source

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
MAX_AXML_BYTES = 256 << 20
MAX_ELEMENTS = 20_000
MAX_CHILDREN = 100_000
_MAX_TEXT = 256


@dataclass(frozen=True, slots=True)
class Element:
    """One ADM element: its identifier, attributes and references; ``blocks`` counts its blocks.

    ``references`` holds pairs of the element kind that is referred to and the identifier.
    """

    kind: str
    identifier: str
    attributes: dict[str, str]
    references: tuple[tuple[str, str], ...] = ()
    blocks: int = 0

    def refers_to(self, kind: str) -> tuple[str, ...]:
        """Return the identifiers of this kind that the element refers to, in their order."""
        return tuple(identifier for each, identifier in self.references if each == kind)


@dataclass(slots=True)
class Adm:
    """All elements by kind; ``roots`` counts the audioFormatExtended elements."""

    roots: int = 0
    elements: dict[str, list[Element]] = field(default_factory=lambda: defaultdict(list))

    def of(self, kind: str) -> list[Element]:
        """Return the elements of one kind, in document order."""
        return self.elements.get(kind, [])

    def __iter__(self) -> Iterator[Element]:
        """Iterate over all elements."""
        for elements in self.elements.values():
            yield from elements


class _Window(io.RawIOBase):
    """A part of a source as a file, for the XML parser."""

    def __init__(self, source: Source, chunk: Chunk) -> None:
        super().__init__()
        self._source = source
        self._position = chunk.offset
        self._end = chunk.end

    def read(self, size: int = -1, /) -> bytes:
        wanted = self._end - self._position
        data = self._source.peek(self._position, wanted if size < 0 else min(size, wanted))
        self._position += len(data)
        return data


def read_axml(source: Source, chunk: Chunk) -> Adm:
    """Read the elements in constant memory.

    Raises FormatError when the XML is not well-formed, declares a document type or entities, or is
    larger than any real master's.
    """
    if chunk.size > MAX_AXML_BYTES:
        raise FormatError(f"An axml chunk of {chunk.size} bytes is too long", chunk.offset)
    events = etree.iterparse(
        _Window(source, chunk), events=("end",), resolve_entities=False, no_network=True
    )
    try:
        return _Collector(chunk.offset).collect(events)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise FormatError(
            f"The axml chunk is not well-formed XML: {error}", chunk.offset
        ) from error


class _Collector:
    """Turns parse events into elements and forgets each one as soon as it is read."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._adm = Adm()
        self._count = 0
        self._blocks = 0
        self._unread = 0

    def collect(self, events: etree.iterparse) -> Adm:
        for _, node in events:
            if self._count == 0 and self._unread == 0 and self._blocks == 0:
                self._refuse_doctype(node)
            self._take(node)
        return self._adm

    def _refuse_doctype(self, node: etree._Element) -> None:
        if node.getroottree().docinfo.internalDTD is not None:
            raise FormatError("The axml chunk declares a document type", self._offset)

    def _take(self, node: etree._Element) -> None:
        kind = _local(node)
        if kind in ID_ATTRIBUTES:
            self._adm.elements[kind].append(self._element(kind, node))
            self._forget(node)
        elif kind == "audioBlockFormat":
            self._blocks += 1
            self._forget(node)
        elif kind == "audioFormatExtended":
            self._adm.roots += 1
        else:
            self._unread += 1
        if self._unread > MAX_CHILDREN or self._count > MAX_ELEMENTS:
            raise FormatError("The axml chunk has more elements than any real master", self._offset)

    def _element(self, kind: str, node: etree._Element) -> Element:
        self._count += 1
        blocks, self._blocks = self._blocks, 0
        attributes = {
            str(key)[:_MAX_TEXT]: str(node.attrib[key])[:_MAX_TEXT] for key in node.attrib
        }
        identifier = attributes.get(ID_ATTRIBUTES[kind], "")
        return Element(kind, identifier, attributes, tuple(_references(node)), blocks)

    def _forget(self, node: etree._Element) -> None:
        self._unread = 0
        node.clear()
        parent = node.getparent()
        while parent is not None and node.getprevious() is not None:
            del parent[0]


def _local(node: etree._Element) -> str:
    return str(node.tag).rpartition("}")[2]


def _references(node: etree._Element) -> Iterator[tuple[str, str]]:
    for child in node.iterchildren("{*}*"):
        name = _local(child)
        kind = name.removesuffix("Ref" if name == "audioTrackUIDRef" else "IDRef")
        if kind != name:
            yield kind, (child.text or "").strip()[:_MAX_TEXT]
