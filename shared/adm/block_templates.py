"""Blocks by their bytes: most are the one before with other times and numbers.

A template is the text of a block that the XML parser has read, with holes for its times and its
numbers. What matches it is the same XML but for plain words in the holes, so that the parser, which
would call back a dozen times, can be spared. Whatever does not match goes to the parser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.parsers import expat

from shared.adm.block_reader import BlockReader
from shared.adm.model import Element

if TYPE_CHECKING:
    from shared.adm.blocks import Block, Form

MAX_TEMPLATES = 32
MAX_TEMPLATE_BYTES = 4096
_HOLE = re.compile(
    r'((?:ID|time|duration)=["\']|(?:position|gain)[^<>]*>|(?:width|height|depth)>)'
    r"([-+.:\w]{1,64})(?=[\"'<])",
    re.ASCII,
)
# No value of a master looks so, and it stays one word.
_FIRST_MARK = 7_310_001


@dataclass(frozen=True, slots=True)
class Template:
    """A block with holes: first for the attributes ``names``, then for the form's numbers."""

    form: Form
    names: tuple[str, ...]
    pattern: re.Pattern[str]


class Templates:
    """The templates of one file, the one that matched last first; ``blocks`` takes the blocks."""

    def __init__(self, blocks: BlockReader) -> None:
        self._blocks = blocks
        self._known: list[Template] = []
        self._lessons = 0

    def match(self, text: str, position: int) -> int:
        """Take all blocks that match from a position on; return the position after them."""
        while (found := self._find(text, position)) is not None:
            template, match = found
            rows, find = [], template.pattern.match
            following: re.Match[str] | None = match
            while following:
                rows.append(following.groups())
                match = following
                following = find(text, match.end())
            self._blocks.take_rows(template.form, template.names, rows)
            position = match.end()
        return position

    def _find(self, text: str, position: int) -> tuple[Template, re.Match[str]] | None:
        for index, template in enumerate(self._known):
            match = template.pattern.match(text, position)
            if match and template.form.kind == self._blocks.kind:
                if index:
                    self._known.insert(0, self._known.pop(index))
                return template, match
        return None

    def learn(self, text: str) -> None:
        """Learn from the text, as ISO 8859-1, of the block that the parser has just read."""
        block, channel = self._blocks.last, self._blocks.channel
        worth = block is not None and not block.form.first and len(text) <= MAX_TEMPLATE_BYTES
        if block is None or not worth or self._lessons >= MAX_TEMPLATES:
            return
        self._lessons += 1
        template = learn(text, block, channel)
        if template is not None:
            self._known.append(template)


def learn(text: str, block: Block, channel: Element) -> Template | None:
    """Make a template of a block's text, as ISO 8859-1, in the channel that it is from.

    Returns None when the holes that are seen in the text are not what the parser reads there.
    """
    holes = list(_HOLE.finditer(text))
    marks = [str(_FIRST_MARK + index) for index in range(len(holes))]
    marked = _read_one(_filled(text, holes, marks), block, channel)
    if marked is None or [*marked.attributes.values(), *marked.texts] != marks:
        return None
    pattern = r"[ \t\r\n]*" + _pattern(text, holes)
    return Template(block.form, tuple(marked.attributes), re.compile(pattern, re.ASCII))


def _filled(text: str, holes: list[re.Match[str]], marks: list[str]) -> str:
    parts, position = [], 0
    for hole, mark in zip(holes, marks, strict=True):
        parts += [text[position : hole.start(2)], mark]
        position = hole.end(2)
    return "".join([*parts, text[position:]])


def _pattern(text: str, holes: list[re.Match[str]]) -> str:
    parts, position = [], 0
    for hole in holes:
        parts += [re.escape(text[position : hole.start(2)]), r"([-+.:\w]{1,64})"]
        position = hole.end(2)
    return "".join([*parts, re.escape(text[position:])])


def _read_one(text: str, block: Block, channel: Element) -> Block | None:
    """Read a block's text as the parser would read it at its place."""
    parser = expat.ParserCreate()
    texts: list[str] = []
    reader = BlockReader(texts, block.form.sample_rate, None, lambda: None)
    place = Element(
        channel.name, channel.attributes, identifier=channel.identifier, blocks=block.index - 1
    )

    def begin(_: str, attributes: list[str]) -> None:
        reader.begin(attributes, place)
        parser.StartElementHandler = reader.start
        parser.EndElementHandler = reader.end

    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.CharacterDataHandler = texts.append
    parser.StartElementHandler = begin
    try:
        parser.Parse(text.encode("latin-1"), True)  # noqa: FBT003 - the parameter has no name
    except expat.ExpatError:
        return None
    return reader.last
