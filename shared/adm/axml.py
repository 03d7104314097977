"""The axml chunk: the audio definition model, read as a stream of parse events."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard
from xml.parsers import expat

from shared.adm.block_reader import MAX_TEXT, BlockReader, bounded, local
from shared.adm.block_templates import MAX_TEMPLATE_BYTES, Templates
from shared.adm.model import ID_ATTRIBUTES, Adm, Element, Node
from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.adm.blocks import Block, Run
    from shared.adm.riff import Chunk
from shared.adm.source import Source

__all__ = ["ID_ATTRIBUTES", "Adm", "Element", "Node", "read_axml"]

MAX_AXML_BYTES = 256 << 20
MAX_ELEMENTS = 20_000
# Elements without an identifier, blocks apart, and attributes.
MAX_CHILDREN = 100_000
MAX_DEPTH = 64
MAX_NAMES = 4096
MAX_TAG_BYTES = 1 << 20
_BLOCK_END = b"</audioBlockFormat>"
_ROOT = "audioFormatExtended"
_FEED_BYTES = 1 << 16
_BUFFERED_TEXT = 8192
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_axml(
    source: Source,
    chunk: Chunk,
    *,
    sample_rate: int = 0,
    on_block: Callable[[Block], object] | None = None,
    on_run: Callable[[Run], bool] | None = None,
) -> Adm:
    """Read the elements in constant memory; hand each block to ``on_block`` as it ends.

    ``on_run`` is offered plain blocks many at a time, and says whether it took them; those that it
    did not take come one by one.
    ``sample_rate`` is the file's in hertz, for the blocks to know. Raises FormatError when the XML
    is not well-formed, declares a document type or entities, or is larger than any real master's.
    """
    if chunk.size > MAX_AXML_BYTES:
        raise FormatError(f"An axml chunk of {chunk.size} bytes is too long", chunk.offset)
    parser = _Parser(sample_rate, on_block, on_run)
    try:
        return parser.parse(source, chunk)
    except FormatError as error:
        raise FormatError(error.detail, chunk.offset + parser.position) from error
    except expat.ExpatError as error:
        raise FormatError(
            f"The axml chunk is not well-formed XML: {expat.ErrorString(error.code)}",
            chunk.offset + parser.position,
        ) from error


class _Parser:
    """Turns parse events into elements and blocks; ``position`` is the byte it has come to."""

    def __init__(
        self,
        sample_rate: int,
        on_block: Callable[[Block], object] | None,
        on_run: Callable[[Run], bool] | None,
    ) -> None:
        self._adm = Adm()
        self._texts: list[str] = []
        self._blocks = BlockReader(self._texts, sample_rate, on_block, self._leave_block, on_run)
        self._templates = Templates(self._blocks)
        self._fed = 0
        self._spared = 0
        self._block_start = 0
        self._block_end = -1
        self._after_block = False
        self._stack: list[Node] = []
        self._outside = Node("", {})
        self._known = 0
        self._others = 0
        self._names: dict[str, str] = {}
        # Whatever the XML declares is judged by a rule; what Python cannot decode is not tried.
        self._expat = expat.ParserCreate("UTF-8", intern=self._names)
        self._expat.ordered_attributes = True
        self._expat.buffer_text = True
        self._expat.buffer_size = _BUFFERED_TEXT
        self._expat.CharacterDataHandler = self._texts.append
        self._expat.XmlDeclHandler = self._declared
        self._expat.StartDoctypeDeclHandler = _refuse_doctype
        self._set_handlers()

    @property
    def position(self) -> int:
        return max(0, self._expat.CurrentByteIndex) + self._spared

    def parse(self, source: Source, chunk: Chunk) -> Adm:
        if source.peek(chunk.offset, 2) in _UTF_16:
            raise FormatError("The XML is in UTF-16 instead of UTF-8")
        rest = b""
        for offset in range(chunk.offset, chunk.end, _FEED_BYTES):
            rest += source.peek(offset, min(_FEED_BYTES, chunk.end - offset))
            rest = self._read(rest, last=offset + _FEED_BYTES >= chunk.end)
        self._expat.Parse(b"", True)  # noqa: FBT003 - the parameter has no name
        return self._adm

    def _read(self, data: bytes, *, last: bool) -> bytes:
        """Read what is there, up to the end of one block after the other; return what is left."""
        text, position = data.decode("latin-1"), 0
        while position < len(data):
            position = self._spare(text, position)
            end = data.find(_BLOCK_END, position) + len(_BLOCK_END)
            if end < len(_BLOCK_END):
                if self._after_block and not last and len(data) - position < MAX_TEMPLATE_BYTES:
                    return data[position:]
                end = len(data)
            self._feed(data[position:end], text[position:end])
            if not self._after_block and end < len(data):
                # What looks like the end of a block is in a comment: expat, which reads an open
                # comment again with each piece, gets the rest as one.
                self._feed(data[end:], text[end:])
                end = len(data)
            position = end
        return b""

    def _spare(self, text: str, position: int) -> int:
        """Skip the blocks that need no parser: only where it has just left another one."""
        end = self._templates.match(text, position) if self._after_block else position
        self._spared += end - position
        return end

    def _feed(self, data: bytes, text: str) -> None:
        fed, self._fed = self._fed, self._fed + len(data)
        self._expat.Parse(data)
        self._check()
        self._after_block = self._block_end == self._fed - len(_BLOCK_END)
        if self._after_block and self._block_start >= fed:
            self._templates.learn(text[self._block_start - fed :])

    def _check(self) -> None:
        """Bound what grows between two events: a tag, a text, a block, the names."""
        if self._fed - self._expat.CurrentByteIndex > MAX_TAG_BYTES:
            raise FormatError(f"A tag or comment of more than {MAX_TAG_BYTES} bytes is too long")
        if len(self._names) > MAX_NAMES:
            raise FormatError("The axml chunk has more names than any real master")
        del self._texts[1:]
        self._blocks.check(self._fed + self._spared)

    def _leave_block(self) -> None:
        self._block_end = self._expat.CurrentByteIndex
        self._set_handlers()

    def _set_handlers(self) -> None:
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self._adm.encoding = encoding or self._adm.encoding

    def _start(self, qualified: str, attributes: list[str]) -> None:
        name = local(qualified)
        parent = self._stack[-1] if self._stack else self._outside
        if name == "audioBlockFormat" and _holds_blocks(parent):
            self._block_start = self._expat.CurrentByteIndex
            self._blocks.begin(attributes, parent)
            self._expat.StartElementHandler = self._blocks.start
            self._expat.EndElementHandler = self._blocks.end
            return
        if len(self._stack) >= MAX_DEPTH:
            raise FormatError(f"The elements are nested more than {MAX_DEPTH} deep")
        self._texts.clear()
        self._stack.append(self._node(name, bounded(attributes), parent))

    def _node(self, name: str, attributes: dict[str, str], parent: Node) -> Node:
        """Make an element and hang it where it belongs; ``_outside`` is outside of the model."""
        outside = parent is self._outside or parent.name == _ROOT
        self._weigh(len(attributes), known=outside and name in ID_ATTRIBUTES)
        if outside and name in ID_ATTRIBUTES:
            element = Element(name, attributes, identifier=attributes.get(ID_ATTRIBUTES[name], ""))
            self._adm.elements[name].append(element)
            return element
        if name == _ROOT:
            self._adm.roots += 1
            return Node(name, attributes)
        if parent is self._outside:
            return parent
        node = Node(name, attributes)
        (self._adm.others if parent.name == _ROOT else parent.children).append(node)
        return node

    def _weigh(self, attributes: int, *, known: bool) -> None:
        self._known += known
        self._others += attributes + (not known)
        if self._known > MAX_ELEMENTS or self._others > MAX_CHILDREN:
            raise FormatError("The axml chunk has more elements than any real master")

    def _end(self, _: str) -> None:
        node = self._stack.pop()
        if node is not self._outside:
            node.text = "".join(self._texts).strip()[:MAX_TEXT]
        self._texts.clear()


def _holds_blocks(node: Node) -> TypeGuard[Element]:
    return isinstance(node, Element) and node.name == "audioChannelFormat"


def _refuse_doctype(*_: object) -> None:
    raise FormatError("The axml chunk declares a document type")
