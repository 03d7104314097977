"""One filter graph: from the master's samples to stereo, and to the samples of every encoder.

FFmpeg does the arithmetic. Samples that need no change pass bit for bit; where depth is lost they
get triangular dither of one step.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from av.error import BlockingIOError as NothingYet
from av.error import EOFError as Ended
from av.filter import Graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from av.audio.frame import AudioFrame
    from av.filter.context import FilterContext

    from services.publisher.master import Master


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Where samples leave: at what rate (hertz), in what form, so many at a time (0: any).

    ``dithered`` is the depth in bits that dither is for, 0 for none. ``measured`` samples carry
    the loudness so far (BS.1770-4) in their metadata.
    """

    rate: int
    sample_format: str
    block_frames: int = 0
    dithered: int = 0
    measured: bool = False


class Mixing:
    """The graph of one master; what is put in comes out of every outlet."""

    def __init__(self, master: Master, outlets: Sequence[Outlet]) -> None:
        self._graph = Graph()
        # What is here costs less than threads do, and their stacks count as address space.
        self._graph.threads = 1
        self._source = self._graph.add_abuffer(
            sample_rate=master.rate,
            format=master.sample_format,
            layout=master.layout,
            time_base=Fraction(1, master.rate),
        )
        split = self._split(master, len(outlets))
        self._sinks = [self._sink(split, index, each) for index, each in enumerate(outlets)]
        self._graph.configure(auto_buffer=False)

    def put(self, frame: AudioFrame | None) -> Iterator[tuple[int, AudioFrame]]:
        """Put samples in, None for the end; yield what comes out with the number of its outlet."""
        self._source.push(frame)
        for index, sink in enumerate(self._sinks):
            for each in _waiting(sink):
                yield index, each

    def _split(self, master: Master, outlets: int) -> FilterContext:
        chain = [self._source]
        if master.downmix.adds:
            # Sums of integers would be rounded before there is any dither.
            chain.append(self._graph.add("aformat", "sample_fmts=fltp"))
        chain += (
            self._graph.add("pan", master.downmix.pan),
            self._graph.add("asplit", str(outlets)),
        )
        self._graph.link_nodes(*chain)
        return chain[-1]

    def _sink(self, split: FilterContext, index: int, outlet: Outlet) -> FilterContext:
        chain = [self._graph.add("aresample", _resampling(outlet))]
        if outlet.measured:
            chain.append(self._graph.add("ebur128", "metadata=1"))
        if outlet.block_frames:
            chain.append(self._graph.add("asetnsamples", f"n={outlet.block_frames}:p=0"))
        chain.append(self._graph.add("abuffersink"))
        split.link_to(chain[0], index)
        self._graph.link_nodes(*chain)
        return chain[-1]


def _resampling(outlet: Outlet) -> str:
    options = f"osr={outlet.rate}:osf={outlet.sample_format}"
    if not outlet.dithered:
        return options
    return f"{options}:dither_method=triangular:output_sample_bits={outlet.dithered}"


def _waiting(sink: FilterContext) -> Iterator[AudioFrame]:
    while True:
        try:
            yield cast("AudioFrame", sink.pull())
        except (NothingYet, Ended):
            return
