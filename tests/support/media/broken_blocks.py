"""Masters of which the blocks or the times are broken in one thing each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.media.broken import SMALL, Broken, wave

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.demo.master import Wave

# Two blocks of a quarter of a second for each object.
SPEC = replace(SMALL, seconds=0.5)
_BED = 'audioBlockFormatID="AB_00011001_00000001"'
_SECOND = 'audioBlockFormatID="AB_00031001_00000002"'
_TIMES = 'rtime="00:00:00.25000" duration="00:00:00.25000"'
_JUMP = '<jumpPosition interpolationLength="0.005208">1</jumpPosition>'
_FIRST_JUMP = '<jumpPosition interpolationLength="0.000000">1</jumpPosition>'
_LABEL = "<speakerLabel>RC_L</speakerLabel>"
_CUBE = "<width>{}</width><height>{}</height><depth>{}</depth>"
_TOP = '<zone minX="-1" maxX="1" minY="-1" maxY="1" minZ="{}" maxZ="1">ZT</zone>'


def edited(code: str, name: str, *edits: tuple[str, str]) -> Broken:
    """Describe a master whose axml differs: each edit replaces the first place of a text."""

    def change(wave: Wave) -> Wave:
        text = wave.chunks["axml"].decode()
        for old, new in edits:
            assert old in text
            text = text.replace(old, new, 1)
        return wave.with_chunk("axml", text.encode())

    return wave(code, name, change, SPEC)


def with_child(code: str, name: str, child: str) -> Broken:
    """Describe a master in which an object's second block has one more element."""
    return edited(code, name, (_JUMP, child + _JUMP))


def in_bed(code: str, name: str, old: str, new: str) -> Broken:
    """Describe a master in which the first bed channel's block differs."""
    return edited(code, name, (old, new))


def _form_files() -> Iterator[Broken]:
    yield edited("axml_encoding", "ISO 8859-1", ('encoding="UTF-8"', 'encoding="ISO-8859-1"'))
    yield edited("block_attribute_missing", "no ID", (_SECOND + " ", ""))
    yield edited("block_attribute_missing", "no duration", (' duration="00:00:00.25000">', ">"))
    yield in_bed("bed_block_timed", "rtime", _BED, f'{_BED} rtime="00:00:00.00000"')
    yield in_bed("bed_block_timed", "duration", _BED, f'{_BED} duration="00:00:00.50000"')
    yield edited("block_attribute_not_allowed", "lstart", (_SECOND, f'{_SECOND} lstart="1"'))
    yield edited("block_element_missing", "no jumpPosition", (_JUMP, ""))
    yield edited("block_element_missing", "no cartesian", ("<cartesian>1</cartesian>", ""))
    yield with_child("block_element_repeated", "gain", "<gain>1</gain><gain>1</gain>")
    yield with_child("block_element_not_allowed", "divergence", "<objectDivergence/>")
    yield in_bed("block_element_not_allowed", "bed gain", _LABEL, f"{_LABEL}<gain>1</gain>")
    yield in_bed("block_element_not_allowed", "bed jump", _LABEL, f"{_LABEL}{_FIRST_JUMP}")
    yield with_child("block_element_not_allowed", "nested", "<diffuse><b/>1</diffuse>")
    bound = ('coordinate="X">0', 'coordinate="X" bound="max">0')
    yield edited("block_element_attribute_not_allowed", "bound", bound)
    lock = '<channelLock maxDistance="1">1</channelLock>'
    yield with_child("block_element_attribute_not_allowed", "maxDistance", lock)
    yield edited("block_coordinates_wrong", "Y twice", ('="Z">0.0', '="Y">0.0'))
    yield edited("block_coordinates_wrong", "polar", ('="Z">0.0', '="azimuth">0.0'))
    copy = f"<audioBlockFormat {_BED.replace('_00000001', '_00000002')}>"
    copy += f'<cartesian>1</cartesian>{_LABEL}<position coordinate="X">-1</position>'
    copy += '<position coordinate="Y">1</position><position coordinate="Z">0</position>'
    end = "</audioBlockFormat></audioChannelFormat>"
    yield in_bed("bed_block_count", "two", end, f"</audioBlockFormat>{copy}{end}")


def _value_files() -> Iterator[Broken]:
    cartesian = f"{_TIMES}><cartesian>"
    yield edited("block_cartesian_wrong", "0", (f"{cartesian}1", f"{cartesian}0"))
    yield edited("jump_position_wrong", "0", (_JUMP, _JUMP.replace(">1<", ">0<")))
    late, none = _JUMP.replace("0.005208", "0.0053"), "<jumpPosition>1</jumpPosition>"
    yield edited("interpolation_length_wrong", "254 samples", (_JUMP, late))
    yield edited("interpolation_length_wrong", "none", (_JUMP, none))
    yield edited("interpolation_length_wrong", "first", (_FIRST_JUMP, _JUMP))
    yield edited("interpolation_length_wrong", "later 0", (_JUMP, _FIRST_JUMP))
    yield with_child("block_flag_wrong", "diffuse", "<diffuse>0.5</diffuse>")
    yield with_child("block_flag_wrong", "channelLock", "<channelLock>2</channelLock>")
    yield with_child("importance_out_of_range", "11", "<importance>11</importance>")
    yield with_child("importance_without_silence", "no gain", "<importance>0</importance>")
    loud = "<importance>0</importance><gain>0.5</gain>"
    yield with_child("importance_without_silence", "gain", loud)
    yield with_child("gain_unit_wrong", "percent", '<gain gainUnit="percent">1</gain>')
    yield with_child("extent_incomplete", "no depth", "<width>0</width><height>0</height>")
    yield with_child("extent_out_of_range", "1.5", _CUBE.format("1.5", "1.5", "1.5"))
    yield with_child("extent_unequal", "depth", _CUBE.format("0.5", "0.5", "0.25"))
    yield with_child("gain_negative", "-0.5", "<gain>-0.5</gain>")
    yield with_child("gain_above_unity", "2.0", "<gain>2.0</gain>")
    yield with_child("gain_above_unity", "6 dB", '<gain gainUnit="dB">6.0</gain>')
    for text in ("", "nan", "inf", "0_1", "1,0"):
        yield with_child("block_number_malformed", text, f"<gain>{text}</gain>")
    far = ('="X">0.7', '="X">1.7')
    yield edited("position_out_of_range", "1.1", far)
    yield edited(
        "position_out_of_range", "with gain", far, (_FIRST_JUMP, f"<gain>1</gain>{_FIRST_JUMP}")
    )


def _zone_files() -> Iterator[Broken]:
    for name, content in {"empty": "", "other": "<place/>"}.items():
        exclusion = f"<zoneExclusion>{content}</zoneExclusion>"
        yield with_child("zone_exclusion_malformed", name, exclusion)
    zones = {
        "zone_unknown": _TOP.format("0.4995").replace("ZT", "ZZ"),
        "zone_bounds_wrong": _TOP.format("0.5"),
    }
    for code, zone in zones.items():
        yield with_child(code, "zone", f"<zoneExclusion>{zone}</zoneExclusion>")
    for name, old, new in (("no minX", ' minX="-1"', ""), ("no number", '"-1"', '"a"')):
        zone = _TOP.format("0.4995").replace(old, new, 1)
        yield with_child("zone_bounds_wrong", name, f"<zoneExclusion>{zone}</zoneExclusion>")


def _timing_files() -> Iterator[Broken]:
    start = 'rtime="00:00:00.25000"'
    for text in (
        "0:00:00.25000",
        "00:00:00.2500",
        "00:00:60.25000",
        "00:60:00.25000",
        "00:00:0a.25000",
    ):
        yield edited("block_time_malformed", text, (start, f'rtime="{text}"'))
    yield edited("time_malformed", "programme", ('end="00:00:00.50000"', 'end="0.5"'))
    yield edited("block_parent_wrong", "other channel", (_SECOND, _SECOND.replace("1001", "1002")))
    yield edited("block_sequence_wrong", "3", (_SECOND, _SECOND.replace("00002", "00003")))
    yield edited("block_sequence_wrong", "cut", (_SECOND, _SECOND.replace("00002", "0002")))
    moved = (
        'rtime="00:00:00.00000" duration="00:00:00.25000"',
        'rtime="00:00:00.10000" duration="00:00:00.15000"',
    )
    yield edited("block_start_wrong", "0.1 s", moved)
    gap = (
        'rtime="00:00:00.00000" duration="00:00:00.25000"',
        'rtime="00:00:00.00000" duration="00:00:00.24998"',
    )
    yield edited("blocks_not_contiguous", "gap", gap)
    overlap = (gap[0], gap[1].replace("24998", "25002"))
    yield edited("blocks_not_contiguous", "overlap", overlap)
    short = (_TIMES, _TIMES[:-8] + '0.24996"')
    yield edited("blocks_end_wrong", "two samples short", short)
    for units in ("49996", "50004"):
        yield edited(
            "programme_duration_differs", units, ('end="00:00:00.50000"', f'end="00:00:00.{units}"')
        )
        yield edited(
            "object_duration_differs",
            units,
            ('duration="00:00:00.50000"', f'duration="00:00:00.{units}"'),
        )


def files() -> list[Broken]:
    """Return every file, each with its code."""
    groups = (_form_files, _value_files, _zone_files, _timing_files)
    return [broken for group in groups for broken in group()]
