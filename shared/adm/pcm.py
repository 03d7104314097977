"""Integer PCM in a file, unpacked block by block to float32 of -1 to 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from shared.adm.source import FormatError

if TYPE_CHECKING:
    from shared.adm.arrays import Block
    from shared.adm.source import Source

BIT_DEPTHS = (16, 24, 32)
MIN_RATE = 8_000
MAX_RATE = 192_000
MAX_CHANNELS = 128
# Longer reads hold no more of a frame's neighbours in the cache, shorter ones cost more calls.
_READ_BYTES = 1 << 20
_FULL_SCALE = np.float32(2.0**-31)
_WITHOUT_LOWEST_BYTE = np.int32(-256)


@dataclass(frozen=True, slots=True)
class Pcm:
    """Where the samples are; sizes in bytes. Raises FormatError for what cannot be measured."""

    source: Source
    offset: int
    size: int
    channels: int
    bit_depth: int
    sample_rate: int

    def __post_init__(self) -> None:
        """Refuse what no block could be made of."""
        if (
            self.bit_depth not in BIT_DEPTHS
            or not 1 <= self.channels <= MAX_CHANNELS
            or not self.offset
        ):
            raise FormatError(f"{self.channels} channels of {self.bit_depth} bits", self.offset)
        if not MIN_RATE <= self.sample_rate <= MAX_RATE:
            raise FormatError(f"A sample rate of {self.sample_rate} Hz", self.offset)

    @property
    def frame_bytes(self) -> int:
        """How many bytes one frame takes."""
        return self.channels * self.bit_depth // 8

    @property
    def frames(self) -> int:
        """How many whole frames are in the file, whatever the header says."""
        return max(min(self.size, self.source.size - self.offset), 0) // self.frame_bytes

    def read_into(self, block: Block, first: int) -> int:
        """Fill a block from frame ``first`` on, with zeros past the end; return what was read.

        Raises FormatError when the file became shorter meanwhile.
        """
        frames = max(min(len(block), self.frames - first), 0)
        block[frames:] = 0
        step = _READ_BYTES // self.frame_bytes
        for start in range(0, frames, step):
            part = block[start : min(start + step, frames)]
            where = self.offset + (first + start) * self.frame_bytes
            # One byte more in front: 24-bit samples are read four bytes at a time.
            data = self.source.read(where - 1, 1 + len(part) * self.frame_bytes)
            _unpack(data, self.bit_depth, part)
        return frames


def _unpack(data: bytes, bit_depth: int, block: Block) -> None:
    samples = block.reshape(-1)
    if bit_depth == 24:  # noqa: PLR2004 - the depth itself
        _unpack_24(data, samples)
    else:
        np.copyto(samples, np.frombuffer(data, f"<i{bit_depth // 8}", -1, 1), casting="unsafe")
        samples *= np.float32(2.0 ** (1 - bit_depth))


def _unpack_24(data: bytes, samples: Block) -> None:
    """Read four bytes at every third one; the lowest belongs to the sample before."""
    strided: npt.NDArray[np.int32] = np.ndarray(len(samples), "<i4", data, 0, (3,))
    integers = np.array(strided)
    np.bitwise_and(integers, _WITHOUT_LOWEST_BYTE, out=integers)
    np.copyto(samples, integers, casting="unsafe")
    samples *= _FULL_SCALE
