"""One broken master per rule: valid but for one thing, with the one code that must be found."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cli.demo.master import Spec, Wave, master
from cli.demo.metadata import dbmd, segment
from tests.support.media import ac4, mp4
from tests.support.media.eac3 import Joc, joc_frames, plain_frames, with_joc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SMALL = Spec(objects=2, seconds=0.1)


@dataclass(frozen=True, slots=True)
class Broken:
    """A broken file: the code that it must be refused with, and how to write it."""

    code: str
    name: str
    write: Callable[[Path], object]


def wave(code: str, name: str, change: Callable[[Wave], Wave], spec: Spec = SMALL) -> Broken:
    """Describe a master that is broken by a change to its parts."""
    return Broken(code, name, lambda path: change(master(spec)).write(path))


def stored(code: str, name: str, change: Callable[[bytes], bytes], spec: Spec = SMALL) -> Broken:
    """Describe a master that is broken by a change to its bytes."""

    def write(path: Path) -> None:
        master(spec).write(path)
        path.write_bytes(change(path.read_bytes()))

    return Broken(code, name, write)


def raw(code: str, name: str, make: Callable[[], bytes]) -> Broken:
    """Describe a broken file by its bytes."""
    return Broken(code, name, lambda path: path.write_bytes(make()))


def _axml(old: str, new: str, count: int = 1) -> Callable[[Wave], Wave]:
    def change(wave: Wave) -> Wave:
        text = wave.chunks["axml"].decode()
        assert old in text
        return wave.with_chunk("axml", text.replace(old, new, count).encode())

    return change


def _chna(offset: int, new: bytes) -> Callable[[Wave], Wave]:
    def change(wave: Wave) -> Wave:
        table = bytearray(wave.chunks["chna"])
        table[offset : offset + len(new)] = new
        return wave.with_chunk("chna", bytes(table))

    return change


def _fmt(index: int, value: int) -> Callable[[Wave], Wave]:
    def change(wave: Wave) -> Wave:
        fields = list(struct.unpack("<HHIIHH", wave.fmt))
        fields[index] = value
        return replace(wave, fmt=struct.pack("<HHIIHH", *fields))

    return change


def _dbmd(change: Callable[[bytes], bytes]) -> Callable[[Wave], Wave]:
    return lambda wave: wave.with_chunk("dbmd", change(wave.chunks["dbmd"]))


def _without(name: str) -> Callable[[Wave], Wave]:
    return lambda wave: wave.with_chunk(name, None)


def _repeated_chunk(data: bytes) -> bytes:
    extra = b"chna" + struct.pack("<I", 4) + bytes(4)
    return data[:4] + struct.pack("<I", len(data) + len(extra) - 8) + data[8:] + extra


def _late_ds64(data: bytes) -> bytes:
    return data.replace(b"JUNK", b"ABCD", 1).replace(b"chna", b"ds64", 1)


def _swapped(data: bytes) -> bytes:
    """Move fmt behind data."""
    start, end = data.index(b"fmt "), data.index(b"data")
    at = data.index(b"axml")
    return data[:start] + data[end:at] + data[start:end] + data[at:]


def _wide_16_bits(wave: Wave) -> Wave:
    count = len(wave.chunks["chna"]) // 40
    fmt = struct.pack("<HHIIHH", 1, count, 48_000, 48_000 * 2 * count, 2 * count, 16)
    axml = wave.chunks["axml"].replace(b'bitDepth="24"', b'bitDepth="16"')
    data_size = 480 * 2 * count
    return replace(wave, fmt=fmt, data_size=data_size).with_chunk("axml", axml)


def _supplemental(payload_change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        start = data.index(b"\x0a", 4 + 100 + 252)
        size = int.from_bytes(data[start + 1 : start + 3], "little")
        payload = payload_change(data[start + 3 : start + 3 + size])
        return data[:start] + segment(10, payload) + bytes(2)

    return change


def _second_programme(wave: Wave) -> Wave:
    text = wave.chunks["axml"].decode()
    start, end = text.index("<audioProgramme "), text.index("</audioProgramme>") + 17
    copy = text[start:end].replace("APR_1001", "APR_1002")
    return wave.with_chunk("axml", (text[:end] + copy + text[end:]).encode())


def wave_files() -> Iterator[Broken]:
    """Yield ADM BWF masters with a broken container."""
    yield stored("file_truncated", "cut in the audio", lambda data: data[: len(data) // 2])
    yield stored("file_truncated", "cut in the last chunk", lambda data: data[:-100])
    rf64 = replace(SMALL, form="RF64")
    yield stored("file_truncated", "RF64 cut", lambda data: data[: len(data) // 2], rf64)
    no_ds64 = b"JUNK"
    yield stored("size_undeclared", "no ds64", lambda d: d.replace(b"ds64", no_ds64, 1), rf64)
    yield wave("riff_size_wrong", "RIFF too short", lambda w: replace(w, riff_size=20_000))
    yield stored("ds64_not_first", "ds64 late", _late_ds64)
    yield stored("chunk_duplicated", "two chna", _repeated_chunk)
    yield stored("fmt_missing", "no fmt", lambda data: data.replace(b"fmt ", b"FMT_", 1))
    yield wave("fmt_malformed", "short fmt", lambda w: replace(w, fmt=w.fmt[:14]))
    yield wave("fmt_malformed", "no channels", _fmt(1, 0))
    yield wave("data_missing", "no audio", lambda w: replace(w, data_size=0))
    yield stored("fmt_after_data", "fmt late", _swapped)


def pcm_files() -> Iterator[Broken]:
    """Yield ADM BWF masters with a wrong fmt chunk."""
    yield wave("not_pcm", "float", _fmt(0, 3))
    yield wave("bit_depth_not_allowed", "16 bits", _wide_16_bits)
    odd_rate = replace(SMALL, rate=44_100)
    yield wave("sample_rate_not_allowed", "44.1 kHz", lambda w: w, odd_rate)
    yield wave("too_many_channels", "129", lambda w: w, replace(SMALL, objects=119, seconds=0.01))
    yield wave("block_align_wrong", "block", _block_align)
    yield wave("byte_rate_wrong", "byte rate", _fmt(3, 1))
    yield wave("data_not_whole_frames", "odd", lambda w: replace(w, data_size=w.data_size - 2))


def _block_align(wave: Wave) -> Wave:
    return _fmt(3, 48_000 * 40)(_fmt(4, 40)(wave))


def adm_files() -> Iterator[Broken]:
    """Yield ADM BWF masters whose chna or axml is wrong."""
    yield wave("chna_missing", "no chna", _without("chna"))
    yield wave("chna_malformed", "cut", lambda w: w.with_chunk("chna", w.chunks["chna"][:-7]))
    yield wave("chna_malformed", "no head", lambda w: w.with_chunk("chna", b"\x01"))
    yield wave("chna_malformed", "an unused slot counted", _chna(4, b"\0\0"))
    yield wave("axml_missing", "no axml", _without("axml"))
    yield wave("axml_malformed", "cut", lambda w: w.with_chunk("axml", w.chunks["axml"][:-60]))
    doctype = '<!DOCTYPE a [<!ENTITY b "c">]>\n<ebuCoreMain'
    yield wave("axml_malformed", "doctype", _axml("<ebuCoreMain", doctype))
    yield wave("adm_root_count", "no root", _axml("audioFormatExtended", "audioFormatOther", 2))
    yield wave("programme_count", "two", _second_programme)
    ambisonics = 'typeDefinition="HOA" typeLabel="0004"'
    objects = 'typeDefinition="Objects" typeLabel="0003"'
    yield wave("type_not_allowed", "ambisonics", _axml(objects, ambisonics))
    yield wave("id_duplicated", "same AO", _axml("</audioObject>", _AGAIN))
    yield wave("reference_unresolved", "no such pack", _axml(_PACK_REF, _NO_PACK_REF))
    yield wave("chna_track_count", "one more", _chna(0, b"\x0d\0"))
    yield wave("chna_tracks_wrong", "track 1 twice", _chna(44, b"\x01\0"))
    yield wave("chna_tracks_wrong", "track 99", _chna(44, b"\x63\0"))
    yield wave("chna_uids_differ", "unknown UID", _chna(6, b"ATU_000000ff"))
    yield wave("chna_track_format_differs", "AT", _chna(18, b"AT_00011002_01"))
    yield wave("chna_pack_format_differs", "AP", _chna(32, b"AP_00031001"))
    yield wave(
        "uid_sample_rate_differs", "96 kHz", _axml('sampleRate="48000"', 'sampleRate="96000"')
    )
    yield wave("uid_bit_depth_differs", "16 bits", _axml('bitDepth="24"', 'bitDepth="16"'))


_AGAIN = '</audioObject><audioObject audioObjectID="AO_1001" audioObjectName="again"></audioObject>'
_PACK_REF = "<audioPackFormatIDRef>AP_00031002</audioPackFormatIDRef><audioTrackUIDRef>"
_NO_PACK_REF = "<audioPackFormatIDRef>AP_00031999</audioPackFormatIDRef><audioTrackUIDRef>"


def dbmd_files() -> Iterator[Broken]:
    """Yield ADM BWF masters whose dbmd is wrong."""
    yield wave("dbmd_missing", "no dbmd", _without("dbmd"))
    yield wave("dbmd_malformed", "no end", _dbmd(lambda d: d[:-2]))
    yield wave("dbmd_malformed", "segment too long", _dbmd(lambda d: d[:5] + b"\xff\xff" + d[7:]))
    yield wave("dbmd_checksum_wrong", "bit", _dbmd(lambda d: d[:20] + b"\x01" + d[21:]))
    yield wave("dbmd_atmos_missing", "no 9", _dbmd(lambda d: d[:104] + d[104 + 252 :]))
    short = segment(9, bytes(200))
    yield wave("dbmd_atmos_size", "200 bytes", _dbmd(lambda d: d[:104] + short + d[104 + 252 :]))
    yield wave(
        "dbmd_supplemental_malformed", "sync", _dbmd(_supplemental(lambda p: bytes(4) + p[4:]))
    )
    yield wave("dbmd_supplemental_malformed", "size", _dbmd(_supplemental(lambda p: p + b"\0")))
    other = dbmd(Spec(objects=3).channels)
    yield wave("dbmd_object_count_differs", "13", lambda w: w.with_chunk("dbmd", other))


def joc_mp4(frames: tuple[bytes, ...] | None = None, config: bytes | None = None) -> bytes:
    """Return an E-AC-3 JOC file; valid unless something else is given."""
    chosen = joc_frames() if frames is None else frames
    return mp4.plain(mp4.Track(frames=chosen, config=mp4.dec3() if config is None else config))


def _with_first(first: bytes) -> tuple[bytes, ...]:
    return (first, *joc_frames()[1:])


def _damaged(frame: bytes) -> bytes:
    return frame[:700] + bytes([frame[700] ^ 0x10]) + frame[701:]


def _other_rate() -> tuple[bytes, ...]:
    return tuple(with_joc(frame, Joc()) for frame in plain_frames(rate=44_100))


def _joined() -> tuple[bytes, ...]:
    return (*joc_frames(), _other_rate()[0])


def _mistimed() -> mp4.Track:
    return mp4.Track(frames=joc_frames(), config=mp4.dec3(), timed_samples=7)


def eac3_files() -> Iterator[Broken]:
    """Yield E-AC-3 JOC files that are wrong in one thing."""
    yield raw("dec3_missing", "no dec3", lambda: joc_mp4(config=b""))
    yield raw(
        "dec3_malformed", "short dec3", lambda: joc_mp4(config=mp4.box("dec3", b"\x0c\0\x20"))
    )
    yield raw("frame_broken", "no sync", lambda: joc_mp4((*joc_frames(), b"\x0b\x78" + bytes(99))))
    yield raw("frame_broken", "raw cut", lambda: b"".join(joc_frames())[:-10])
    yield raw("frame_crc_wrong", "bit", lambda: joc_mp4(_with_first(_damaged(joc_frames()[0]))))
    yield raw("sample_rate_not_allowed", "44.1 kHz", lambda: joc_mp4(_other_rate()))
    yield raw("stream_parameters_change", "rate", lambda: joc_mp4(_joined()))
    yield raw("sample_count_differs", "stts", lambda: mp4.plain(_mistimed()))
    spoof = Joc(oamd_objects=None, joc_objects=None)
    yield raw("joc_payload_missing", "only a flag", lambda: joc_mp4(joc_frames(joc=spoof)))
    one = with_joc(plain_frames()[0], spoof)
    yield raw("joc_payload_missing", "one frame without", lambda: joc_mp4(_with_first(one)))
    silent = Joc(signalled=None)
    yield raw("joc_not_signalled", "no addbsi", lambda: joc_mp4(joc_frames(joc=silent)))
    yield raw("joc_not_signalled", "plain dec3", lambda: joc_mp4(config=mp4.dec3(None)))
    yield raw("complexity_differs", "dec3 12", lambda: joc_mp4(config=mp4.dec3(12)))
    seventeen = Joc(signalled=17, oamd_objects=17, joc_objects=16)
    yield raw(
        "complexity_out_of_range",
        "17",
        lambda: joc_mp4(joc_frames(joc=seventeen), mp4.dec3(17)),
    )
    yield raw("joc_objects_differ", "14", lambda: joc_mp4(joc_frames(joc=Joc(joc_objects=14))))


def ac4_track(config: bytes) -> bytes:
    """Return an AC-4 file with this codec box."""
    frames = (b"\x20" * 64,) * 4
    return mp4.plain(mp4.Track(frames=frames, codec="ac-4", config=config, samples_per_frame=2048))


def mp4_files() -> Iterator[Broken]:
    """Yield broken MP4 files and AC-4 tracks."""
    yield raw("file_truncated", "mdat cut", lambda: joc_mp4()[:-1000])
    yield raw("mp4_malformed", "box of 3 bytes", lambda: joc_mp4().replace(_MDIA, _BAD_MDIA, 1))
    yield raw("mp4_malformed", "box leaves parent", lambda: joc_mp4().replace(_STSD, _BAD_STSD, 1))
    yield raw("sound_track_missing", "no moov", lambda: mp4.box("ftyp", b"isom", bytes(4)))
    yield raw("dac4_missing", "no dac4", lambda: ac4_track(b""))
    yield raw("dac4_malformed", "cut", lambda: ac4_track(mp4.box("dac4", ac4.dac4()[8:20])))
    yield raw("no_atmos", "AC-4 of channels", lambda: ac4_track(ac4.dac4(a_joc=False)))
    plain = mp4.dec3(None)
    yield raw("no_atmos", "plain E-AC-3", lambda: joc_mp4(plain_frames(), plain))


_MDIA, _BAD_MDIA = b"\0\0\0\x20mdhd", b"\0\0\0\x03mdhd"
_STSD, _BAD_STSD = b"stsd\0\0\0\0\0\0\0\x01\0\0\0", b"stsd\0\0\0\0\0\0\0\x01\0\0\x7f"


def all_files() -> list[Broken]:
    """Return every broken file, each with its code."""
    groups = (wave_files, pcm_files, adm_files, dbmd_files, eac3_files, mp4_files)
    return [broken for group in groups for broken in group()]
