"""ADM BWF masters whose identifiers, references or beds are wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.media.broken import SMALL, Broken, axml, wave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.demo.master import Wave

_STEREO = replace(SMALL, beds=("2.0",))
_BED_OF_5 = replace(SMALL, beds=("5.1",))


def files() -> list[Broken]:
    """Return every broken file."""
    return [*_forms(), *_numbers(), *_references(), *_chain(), *_names(), *_beds()]


def renamed(old: str, new: str) -> Callable[[Wave], Wave]:
    """Return a change to a master: axml and chna say ``new`` wherever they said ``old``."""

    def change(wave: Wave) -> Wave:
        for name in ("axml", "chna"):
            changed = wave.chunks[name].replace(old.encode(), new.encode())
            wave = wave.with_chunk(name, changed)
        return wave

    return change


def swapped(first: str, second: str) -> Callable[[Wave], Wave]:
    """Return a change to a master: two texts change places in axml and chna."""

    def change(wave: Wave) -> Wave:
        held = "~" * len(first)
        for old, new in ((first, held), (second, first), (held, second)):
            wave = renamed(old, new)(wave)
        return wave

    return change


def _forms() -> Iterator[Broken]:
    yield wave("id_malformed", "letters", renamed("ACO_1001", "ACO_100x"))
    yield wave("id_malformed", "no prefix", renamed("AP_00031002", "AX_00031002"))
    yield wave("id_malformed", "no digit", renamed("ATU_0000000c", "ATU_0000000g"))
    yield wave("id_duplicated", "same AO", _second_object)


def _place(text: str, kind: str, identifier: str) -> slice:
    """Return where the element of this kind and identifier is."""
    start = text.index(f'<{kind} {kind}ID="{identifier}"')
    end = f"</{kind}>"
    return slice(start, text.index(end, start) + len(end))


def _second_object(wave: Wave) -> Wave:
    text = wave.chunks["axml"].decode()
    place = _place(text, "audioObject", "AO_100c")
    text = text[: place.stop] + text[place] + text[place.stop :]
    return wave.with_chunk("axml", text.encode())


def _numbers() -> Iterator[Broken]:
    yield wave("programme_id_not_allowed", "1002", renamed("APR_1001", "APR_1002"))
    yield wave("content_id_not_allowed", "1002", renamed("ACO_1001", "ACO_1002"))
    code = "object_id_not_allowed"
    yield wave(code, "object on a bed's input", renamed("AO_100b", "AO_100a"), _STEREO)
    yield wave(code, "past the last", renamed("AO_100b", "AO_1081"), _STEREO)
    yield wave(code, "bed past the last", renamed("AO_1001", "AO_1080"), _STEREO)
    yield wave(code, "zero", renamed("AO_1001", "AO_1000"), _STEREO)
    second = replace(SMALL, beds=("2.0", "2.0"))
    yield wave("object_id_reserved", "bed in a bed", renamed("AO_1003", "AO_1002"), second)
    code = "format_id_not_allowed"
    yield wave(code, "pack", renamed("AP_00031001", "AP_00030001"))
    yield wave(code, "channel and all", renamed("_00031001", "_00030fff"))
    yield wave("track_format_id_not_allowed", "_02", renamed("AT_00031001_01", "AT_00031001_02"))
    yield wave("track_uid_zero", "zero", renamed("ATU_00000001", "ATU_00000000"))
    yield wave("track_uid_order", "swapped", swapped("ATU_00000001", "ATU_00000002"))
    yield wave("track_uid_order", "a gap", renamed("ATU_0000000c", "ATU_0000000d"))


def _references() -> Iterator[Broken]:
    objects = "<audioObjectIDRef>AO_100c</audioObjectIDRef>"
    yield wave("not_in_programme", "an object", axml(objects, ""))
    yield wave("reference_repeated", "an object", axml(objects, objects * 2))
    uid = "<audioTrackUIDRef>ATU_00000001</audioTrackUIDRef>"
    yield wave("reference_repeated", "a UID", axml(uid, uid * 2), _STEREO)
    unresolved = "reference_unresolved"
    pack = "<audioPackFormatIDRef>AP_00031002</audioPackFormatIDRef><audioTrackUIDRef>"
    yield wave(unresolved, "no such pack", axml(pack, pack.replace("AP_00031002", "AP_00031999")))
    common = pack.replace("AP_00031002", "AP_00010002")
    yield wave(unresolved, "a common definition", axml(pack, common))
    kind = pack.replace("AP_00031002", "AO_100c")
    yield wave(unresolved, "another kind", axml(pack, kind))
    yield wave("reference_count_wrong", "a spare pack", _spare_pack)
    uids = "<audioTrackUIDRef>ATU_00000004</audioTrackUIDRef>"
    yield wave("object_track_count_differs", "no LFE", axml(uids, ""))
    yield wave("object_channel_count", "two channels", _pair)


def _spare_pack(wave: Wave) -> Wave:
    text = wave.chunks["axml"].decode()
    place = _place(text, "audioPackFormat", "AP_00031001")
    copy = text[place].replace("AP_00031001", "AP_00031009")
    text = text[: place.stop] + copy + text[place.stop :]
    return wave.with_chunk("axml", text.encode())


def _pair(wave: Wave) -> Wave:
    """Make one object of the two."""
    text = wave.chunks["axml"].decode()
    for kind, identifier in (("audioObject", "AO_100c"), ("audioPackFormat", "AP_00031002")):
        place = _place(text, kind, identifier)
        text = text[: place.start] + text[place.stop :]
    text = text.replace("<audioObjectIDRef>AO_100c</audioObjectIDRef>", "")
    text = _again(text, "audioTrackUIDRef", "ATU_0000000b", "ATU_0000000c")
    text = _again(text, "audioChannelFormatIDRef", "AC_00031001", "AC_00031002")
    return renamed("AP_00031002", "AP_00031001")(wave.with_chunk("axml", text.encode()))


def _again(text: str, name: str, identifier: str, more: str) -> str:
    """Add a reference after the first one of this name and identifier."""
    one = f"<{name}>{identifier}</{name}>"
    return text.replace(one, one + one.replace(identifier, more), 1)


def _chain() -> Iterator[Broken]:
    yield wave("format_ids_differ", "a stream", renamed("AS_00031001", "AS_00031009"))
    yield wave("uid_pack_differs", "two swapped", _swapped_packs)
    yield wave("uid_channel_differs", "two swapped", _swapped_tracks)
    stream = "<audioPackFormatIDRef>AP_00031001</audioPackFormatIDRef><audioTrackFormatIDRef>"
    other = stream.replace("AP_00031001", "AP_00031002")
    yield wave("stream_pack_differs", "another pack", axml(stream, other))


def _swapped_packs(wave: Wave) -> Wave:
    """Let the UIDs of the two objects state each other's pack."""
    return _in_uids(wave, swapped("AP_00031001", "AP_00031002"))


def _swapped_tracks(wave: Wave) -> Wave:
    """Let the UIDs of the two objects carry each other's track."""
    return _in_uids(wave, swapped("AT_00031001_01", "AT_00031002_01"))


def _in_uids(wave: Wave, change: Callable[[Wave], Wave]) -> Wave:
    """Make a change in the UIDs only, and in chna."""
    changed = change(wave)
    before, after = wave.chunks["axml"].decode(), changed.chunks["axml"].decode()
    for uid in ("ATU_0000000b", "ATU_0000000c"):
        start = before.index(f'<audioTrackUID UID="{uid}"')
        end = before.index("</audioTrackUID>", start)
        before = before[:start] + after[start:end] + before[end:]
    return changed.with_chunk("axml", before.encode())


def _names() -> Iterator[Broken]:
    stream = 'audioStreamFormatName="PCM_Atmos_Obj_1"'
    for_both = 'FormatName="PCM_Atmos_Obj_1"'
    yield wave("stream_name_differs", "no PCM_", axml(for_both, 'FormatName="Atmos_Obj_1"', -1))
    track = stream.replace("Stream", "Track")
    yield wave("track_name_differs", "another", axml(track, track.replace("Obj_1", "Obj_2")))


def _beds() -> Iterator[Broken]:
    code = "bed_set_not_allowed"
    yield wave(code, "two swapped", axml(*_channels("AC_00011001", "AC_00011002")))
    yield wave(code, "2.1", _low_centre, replace(SMALL, beds=("3.0",)))
    name, other = '"RoomCentricLeft"', '"RoomCentricWideLeft"'
    wide = axml("PCM_RoomCentricLeft", "PCM_RoomCentricWideLeft", 2)
    yield wave("speaker_name_not_allowed", "wide", lambda w: axml(name, other)(wide(w)), _STEREO)
    label = "<speakerLabel>RC_L</speakerLabel>"
    yield wave("speaker_label_differs", "BS.2051", axml(label, label.replace("RC_L", "M+030")))
    yield wave("speaker_label_differs", "right", axml(label, label.replace("RC_L", "RC_R")))
    place = '<position coordinate="Y">1.0000000000'
    yield wave("speaker_position_differs", "Y", axml(place, place.replace("1.0", "0.9")))
    surround = '<position coordinate="Y">-0.3639700000'
    half = surround.replace("0.36397", "0.50000")
    yield wave("speaker_position_differs", "surround", axml(surround, half), _BED_OF_5)


def _low_centre(wave: Wave) -> Wave:
    """Make the centre an LFE in all that it says."""
    named = axml("RoomCentricCenter", "RoomCentricLFE", -1)(wave)
    labelled = axml("RC_C<", "RC_LFE<")(named)
    return axml(_positions(0, 1, 0), _positions(-1, 1, -1))(labelled)


def _positions(*places: int) -> str:
    return "".join(
        f'<position coordinate="{axis}">{place:.10f}</position>'
        for axis, place in zip("XYZ", places, strict=True)
    )


def _channels(first: str, second: str) -> tuple[str, str]:
    """Return two references to channels of a pack, and both the other way round."""
    one, two = (
        f"<audioChannelFormatIDRef>{each}</audioChannelFormatIDRef>" for each in (first, second)
    )
    return one + two, two + one
