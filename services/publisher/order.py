"""What is asked of a transcoding, and what comes of it: plain data that crosses to the child."""

from __future__ import annotations

import re

import msgspec

from services.publisher.formats import FORMATS

# Lines and tabs are text, other control characters are not.
_TEXT = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]{0,4096}")


class Tags(msgspec.Struct, frozen=True, kw_only=True):
    """What is written into each rendition; empty is left out.

    Raises ValueError for what is no text, or longer than 4096 characters.
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    isrc: str = ""
    comment: str = ""

    def __post_init__(self) -> None:
        """Refuse what a container cannot hold."""
        for name in self.__struct_fields__:
            if not _TEXT.fullmatch(getattr(self, name)):
                raise ValueError(f"The {name} is no text of at most 4096 characters.")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The renditions wanted of one master, by the names of formats.FORMATS, each once.

    ``cover`` is a whole JPEG or PNG file, empty for none. Raises ValueError for formats that are
    unknown, or asked for twice, or none at all.
    """

    formats: tuple[str, ...]
    tags: Tags = Tags()
    cover: bytes = b""

    def __post_init__(self) -> None:
        """Refuse what nothing could be made of."""
        if unknown := set(self.formats) - set(FORMATS):
            raise ValueError(f"There is no format {min(unknown)}.")
        if not self.formats or len(set(self.formats)) < len(self.formats):
            raise ValueError("Each format is asked for once, and one at least.")


class Rendition(msgspec.Struct, frozen=True, kw_only=True):
    """One file that was made; ``bit_depth`` is 0 where the coding is lossy."""

    format: str
    size_bytes: int
    md5: str
    sample_rate: int
    channels: int
    bit_depth: int


class Loudness(msgspec.Struct, frozen=True, kw_only=True):
    """How loud the stereo programme is before any coding: ITU-R BS.1770-4.

    LUFS is None when nothing passes the gate, dBTP for digital silence.
    """

    integrated_lufs: float | None
    true_peak_dbtp: float | None


class Transcoded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """All renditions of one master, in the order they were asked for; ``frames`` are the master's.

    ``mixed`` says that the master had more than two channels (downmix.py).
    """

    renditions: tuple[Rendition, ...]
    loudness: Loudness
    frames: int
    sample_rate: int
    mixed: bool
