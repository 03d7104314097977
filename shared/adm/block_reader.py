"""Turns the parse events inside audioBlockFormat into blocks. Runs millions of times per file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.adm.blocks import (
    NUMBER,
    NUMBERS,
    Block,
    DetailedBlock,
    Form,
    Run,
    read_numbers,
)
from shared.adm.model import DIRECT_SPEAKERS, OBJECTS, Element, Node, channel_type
from shared.adm.source import FormatError
from shared.adm.times import parse_time, parse_times

if TYPE_CHECKING:
    from collections.abc import Callable

# A real block has 250 bytes or more: the longest axml that is read cannot hold as many, and when
# there are more than a few, floods of shorter ones are refused early.
MAX_BLOCKS = 1_100_000
MIN_BLOCK_BYTES = 200
FEW_BLOCKS = 20_000
MAX_FORMS = 10_000
MAX_FORM_EVENTS = 250_000
MAX_BLOCK_EVENTS = 1024
MAX_TEXT = 256
# Fewer in a row are not worth their columns.
MIN_RUN = 4
_IDENTIFIER, _TIMES = "audioBlockFormatID", ("rtime", "duration")


def local(name: str) -> str:
    """Return a qualified name without its namespace prefix."""
    return name.rpartition(":")[2]


class _Numeric(dict[str, bool]):
    """Whether the text of an element of this qualified name is a number of the block."""

    def __missing__(self, name: str) -> bool:
        self[name] = local(name) in NUMBERS
        return self[name]


def bounded(attributes: list[str]) -> dict[str, str]:
    """Return a list of names and values as a dictionary, without namespace declarations."""
    return {
        name: value[:MAX_TEXT]
        for name, value in zip(attributes[::2], attributes[1::2], strict=True)
        if name != "xmlns" and not name.startswith("xmlns:")
    }


class BlockReader:
    """Reads the blocks of one channel after the other.

    ``texts`` is the list that the parser's character data go to, ``on_block`` is called with each
    block, unless ``on_run`` has taken it with others, ``leave`` when a block has ended, and
    ``last`` is that block. Raises FormatError past its limits.
    """

    def __init__(
        self,
        texts: list[str],
        sample_rate: int,
        on_block: Callable[[Block], object] | None,
        leave: Callable[[], object],
        on_run: Callable[[Run], bool] | None = None,
    ) -> None:
        self._texts = texts
        self._sample_rate = sample_rate
        self._on_block = on_block
        self._leave = leave
        self._on_run = on_run
        self._forms: dict[tuple[object, ...], Form] = {}
        self._form_events = 0
        self._total = 0
        self._channel = Element("", {})
        self._kind = ""
        self._numeric = _Numeric()
        self._depth = 0
        self._attributes: dict[str, str] = {}
        self._events: list[object] = []
        self._values: list[str] = []
        self.last: Block | None = None

    @property
    def channel(self) -> Element:
        """The channel whose blocks are read."""
        return self._channel

    @property
    def kind(self) -> str:
        """The type of the channel whose blocks are read."""
        return self._kind

    def begin(self, attributes: list[str], channel: Element) -> None:
        """Begin a block of a channel."""
        if channel is not self._channel:
            self._channel = channel
            self._kind = channel_type(channel.identifier, channel.attributes)
        self._attributes = dict(zip(attributes[::2], attributes[1::2], strict=True))
        self._events = [self._kind, channel.blocks == 0, tuple(attributes[::2])]
        self._values = []

    def start(self, name: str, attributes: list[str]) -> None:
        """Take the start of an element inside the block."""
        self._depth += 1
        self._events.append((name, *attributes))
        self._texts.clear()

    def end(self, name: str) -> None:
        """Take the end of an element inside the block, or of the block."""
        if self._depth == 0:
            self._finish()
            return
        self._depth -= 1
        text = "".join(self._texts)
        self._texts.clear()
        if self._numeric[name]:
            self._values.append(text)
            self._events.append(None)
        else:
            self._events.append(text.strip()[:MAX_TEXT])

    def check(self, position: int) -> None:
        """Refuse a block that grows beyond any real one, and too many in ``position`` bytes."""
        if self._total > FEW_BLOCKS and self._total * MIN_BLOCK_BYTES > position:
            raise FormatError("The axml chunk has more audioBlockFormats than its size allows")
        if len(self._events) > MAX_BLOCK_EVENTS:
            raise FormatError("An audioBlockFormat has more elements than any real master's")

    def _finish(self) -> None:
        key = tuple(self._events)
        form = self._forms.get(key) or self._new_form(key)
        self.last = self.take(form, self._attributes, self._values)
        self._leave()

    def take(self, form: Form, attributes: dict[str, str], texts: list[str]) -> Block:
        """Count a block of the present channel and hand it on."""
        self._count()
        block = self._block(form, attributes, texts)
        if form.kind == DIRECT_SPEAKERS and block.index == 1:
            self._channel.children.append(block.node())
        if self._on_block is not None:
            self._on_block(block)
        return block

    def take_rows(self, form: Form, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """Take blocks of one form: for each the values of its attributes, then its numbers."""
        if self._on_run is not None and len(rows) >= MIN_RUN:
            run = self._run(form, names, rows)
            if run is not None and self._on_run(run):
                self._count(len(rows))
                self._channel.blocks += len(rows)
                self._channel.blocks_end = run.end
                return
        for row in rows:
            attributes = dict(zip(names, row, strict=False))
            self.take(form, attributes, list(row[len(names) :]))

    def _run(self, form: Form, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> Run | None:
        """Read rows as columns; None when they are no plain blocks of an object."""
        if form.kind != OBJECTS or form.detailed or {*names} != {_IDENTIFIER, *_TIMES}:
            return None
        columns = list(zip(*rows, strict=True))
        named = dict(zip(names, columns, strict=False))
        starts, durations = (parse_times(named[name]) for name in _TIMES)
        numbers = [read_numbers(column) for column in columns[len(names) :]]
        if starts is None or durations is None or any(malformed for _, malformed in numbers):
            return None
        return Run(
            self._channel.identifier,
            self._channel.blocks + 1,
            form,
            named[_IDENTIFIER],
            starts,
            durations,
            [values for values, _ in numbers],
            self._channel.blocks_end,
        )

    def _count(self, blocks: int = 1) -> None:
        self._total += blocks
        if self._total > MAX_BLOCKS:
            raise FormatError("The axml chunk has more audioBlockFormats than any real master")

    def _block(self, form: Form, attributes: dict[str, str], texts: list[str]) -> Block:
        """Make the block, and move the channel's count and end to it."""
        channel = self._channel
        start = parse_time(attributes.get("rtime", ""))
        duration = parse_time(attributes.get("duration", ""))
        previous_end = channel.blocks_end
        channel.blocks += 1
        channel.blocks_end = None if start is None or duration is None else start + duration
        numbers, malformed = read_numbers(texts)
        return (DetailedBlock if form.detailed else Block)(
            channel.identifier,
            channel.blocks,
            attributes.get("audioBlockFormatID", ""),
            form,
            attributes,
            texts,
            start,
            duration,
            previous_end,
            numbers,
            malformed,
        )

    def _new_form(self, key: tuple[object, ...]) -> Form:
        self._form_events += len(key)
        if len(self._forms) >= MAX_FORMS or self._form_events > MAX_FORM_EVENTS:
            raise FormatError("The blocks differ in more ways than any real master's")
        children, numbers = _tree(self._events[3:])
        form = self._forms[key] = Form(
            self._kind,
            self._channel.blocks == 0,
            self._sample_rate,
            tuple(self._attributes),
            children,
            numbers,
        )
        return form


def _tree(events: list[object]) -> tuple[list[Node], tuple[str, ...]]:
    """Build the elements from their starts (tuples) and ends (a text, or None for a number)."""
    root = Node("", {})
    open_nodes, numbers = [root], []
    for event in events:
        if isinstance(event, tuple):
            node = Node(local(event[0]), bounded(list(event[1:])))
            open_nodes[-1].children.append(node)
            open_nodes.append(node)
            continue
        node = open_nodes.pop()
        if isinstance(event, str):
            node.text = event
        else:
            node.text = NUMBER
            numbers.append(node.attributes.get("coordinate", node.name))
    return root.children, tuple(numbers)
