"""ADM BWF masters whose ADM elements, their children, attributes or values are wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.media.broken import SMALL, Broken, axml, wave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.demo.master import Wave

_OBJECT_TYPE = 'typeDefinition="Objects" typeLabel="0003"'
_PROGRAMME = "</audioContentIDRef></audioProgramme>"
_END = "</audioFormatExtended>"


def files() -> list[Broken]:
    """Return every broken file."""
    return [*_structure(), *_presence(), *_attributes(), *_types(), *_values(), *_warnings()]


def _structure() -> Iterator[Broken]:
    yield wave("axml_missing", "no axml", lambda w: w.with_chunk("axml", None))
    yield wave("axml_malformed", "cut", lambda w: w.with_chunk("axml", w.chunks["axml"][:-60]))
    doctype = '<!DOCTYPE a [<!ENTITY b "c">]>\n<ebuCoreMain'
    yield wave("axml_malformed", "doctype", axml("<ebuCoreMain", doctype))
    yield wave("adm_root_count", "no root", axml("audioFormatExtended", "audioFormatOther", 2))
    yield wave("adm_root_count", "other XML", lambda w: w.with_chunk("axml", b"<ebuCoreMain/>"))
    yield wave("adm_root_count", "two", axml(_END, f"{_END}<audioFormatExtended/>"))
    yield wave("programme_count", "two", _second_programme)
    yield wave("too_many_elements", "124 contents", _contents)
    crowd = replace(SMALL, beds=("7.0.2",), objects=119, seconds=0.01)
    yield wave("too_many_objects", "119", lambda w: w, crowd)


def _second_programme(wave: Wave) -> Wave:
    text = wave.chunks["axml"].decode()
    start, end = text.index("<audioProgramme "), text.index("</audioProgramme>") + 17
    copy = text[start:end].replace("APR_1001", "APR_1002")
    return wave.with_chunk("axml", (text[:end] + copy + text[end:]).encode())


def _contents(wave: Wave) -> Wave:
    """Describe 124 contents of the same objects."""
    text = wave.chunks["axml"].decode()
    start, end = text.index("<audioContent "), text.index("</audioContent>") + 15
    names = [f"ACO_{0x1001 + index:04x}" for index in range(124)]
    copies = "".join(text[start:end].replace("ACO_1001", name) for name in names)
    text = text[:start] + copies + text[end:]
    references = "".join(f"<audioContentIDRef>{name}</audioContentIDRef>" for name in names)
    one = "<audioContentIDRef>ACO_1001</audioContentIDRef>"
    return wave.with_chunk("axml", text.replace(one, references).encode())


def _presence() -> Iterator[Broken]:
    dialogue = '<dialogue mixedContentKind="0">2</dialogue>'
    yield wave("element_missing", "no dialogue", axml(dialogue, ""))
    back = "<audioStreamFormatIDRef>AS_00031001</audioStreamFormatIDRef>"
    yield wave("element_missing", "no stream", axml(back, ""))
    yield wave(
        "element_missing",
        "no pack",
        axml(
            "<audioPackFormatIDRef>AP_00011001</audioPackFormatIDRef><audioTrackUIDRef>",
            "<audioTrackUIDRef>",
        ),
    )
    yield wave("element_repeated", "two dialogues", axml(dialogue, dialogue * 2))
    loudness = "<loudnessMetadata/>" * 2
    yield wave("element_repeated", "two loudnesses", axml(_PROGRAMME, _in(_PROGRAMME, loudness)))
    last = "<audioChannelFormatIDRef>AC_0001100a</audioChannelFormatIDRef>"
    eleventh = last.replace("AC_0001100a", "AC_00031001")
    yield wave("element_repeated", "eleven channels", axml(last, last + eleventh))
    yield wave("element_not_allowed", "an unknown one", axml(_END, f"<foo/>{_END}"))
    gain = "</audioTrackUIDRef><gain>0.5</gain></audioObject>"
    yield wave("element_not_allowed", "gain", axml("</audioTrackUIDRef></audioObject>", gain))
    nested = "</audioTrackUIDRef><audioObjectIDRef>AO_100b</audioObjectIDRef></audioObject>"
    yield wave("element_not_allowed", "nesting", axml("</audioTrackUIDRef></audioObject>", nested))
    other = (
        "</audioTrackUIDRef><audioComplementaryObjectIDRef>AO_1999"
        "</audioComplementaryObjectIDRef></audioObject>"
    )
    yield wave("element_not_allowed", "another", axml("</audioTrackUIDRef></audioObject>", other))


def _in(end: str, more: str) -> str:
    """Put more before the end tag that closes the element."""
    at = end.rindex("</")
    return end[:at] + more + end[at:]


def _attributes() -> Iterator[Broken]:
    yield wave("attribute_missing", "no end", _without_attribute("end"))
    yield wave("attribute_missing", "no name", _without_attribute("audioContentName"))
    yield wave("attribute_missing", "no rate", _without_attribute("sampleRate"))
    yield wave("attribute_missing", "no start", _without_attribute("start", "<audioObject "))
    yield wave("attribute_missing", "no label", _without_attribute("typeLabel"))
    more = '<audioObject importance="5" '
    yield wave("attribute_not_allowed", "importance", axml("<audioObject ", more))
    start = '<audioProgramme startTime="00:00:00.00000" '
    yield wave("attribute_not_allowed", "startTime", axml("<audioProgramme ", start))


def _without_attribute(name: str, tag: str = "<") -> Callable[[Wave], Wave]:
    def change(wave: Wave) -> Wave:
        text = wave.chunks["axml"].decode()
        at = text.index(f' {name}="', text.index(tag))
        end = text.index('"', at + len(name) + 3) + 1
        return wave.with_chunk("axml", (text[:at] + text[end:]).encode())

    return change


def _types() -> Iterator[Broken]:
    ambisonics = 'typeDefinition="HOA" typeLabel="0004"'
    yield wave("type_not_allowed", "ambisonics", axml(_OBJECT_TYPE, ambisonics))
    code = "type_contradicts_itself"
    other = 'typeDefinition="DirectSpeakers" typeLabel="0003"'
    yield wave(code, "definition", axml(_OBJECT_TYPE, other))
    yield wave(code, "identifier", _bed_of_the_wrong_number)
    yield wave("coding_not_allowed", "label", axml('formatLabel="0001"', 'formatLabel="0002"'))
    yield wave("coding_not_allowed", "definition", axml('Definition="PCM"', 'Definition="FLAC"'))


def _bed_of_the_wrong_number(wave: Wave) -> Wave:
    for name in ("axml", "chna"):
        changed = wave.chunks[name].replace(b"AP_00031002", b"AP_00011002")
        wave = wave.with_chunk(name, changed)
    return wave


def _values() -> Iterator[Broken]:
    kind = '<dialogue mixedContentKind="0">2<'
    music = '<dialogue nonDialogueContentKind="1">0<'
    yield wave("content_not_mixed", "music", axml(kind, music))
    yield wave("content_not_mixed", "kind", axml(kind, kind.replace('"0"', '"1"')))
    yield wave("object_flag_not_allowed", "interact", axml("<audioObject ", _flag("interact", 1)))
    ducking = _flag("disableDucking", 0)
    yield wave("object_flag_not_allowed", "ducking", axml("<audioObject ", ducking))
    late = 'start="00:00:01.00000" duration'
    yield wave("object_start_not_zero", "late", axml('start="00:00:00.00000" duration', late))
    old = '<audioObject startTime="00:00:01.00000" '
    yield wave("object_start_not_zero", "startTime", axml("<audioObject ", old))
    language = '<audioProgramme audioProgrammeLanguage="eng" '
    yield wave("language_malformed", "three letters", axml("<audioProgramme ", language))
    yield wave("name_length_not_allowed", "none", axml('Name="Atmos_Master_Content"', 'Name=""'))
    long = f'Name="{65 * "x"}"'
    yield wave("name_length_not_allowed", "65", axml('Name="Atmos_Master_Content"', long))
    yield wave("name_length_not_allowed", "programme", axml('Name="Atmos_Master"', long))
    pack = '<audioPackFormat importance="11" '
    yield wave("importance_not_allowed", "11", axml("<audioPackFormat ", pack))
    yield wave("uid_sample_rate_differs", "96 kHz", axml('Rate="48000"', 'Rate="96000"'))
    yield wave("uid_bit_depth_differs", "16 bits", axml('bitDepth="24"', 'bitDepth="16"'))
    code = "reference_screen_not_allowed"
    yield wave(code, "too wide", _screen('<screenWidth X="3.0"/>'))
    yield wave(code, "an azimuth", _screen('<screenWidth azimuth="30"/>'))
    yield wave(code, "a ratio", _screen("<aspectRatio>1.78</aspectRatio>"))


def _flag(name: str, value: int) -> str:
    return f'<audioObject {name}="{value}" '


def _screen(content: str) -> Callable[[Wave], Wave]:
    screen = f"<audioProgrammeReferenceScreen>{content}</audioProgrammeReferenceScreen>"
    return axml(_PROGRAMME, _in(_PROGRAMME, screen))


def _warnings() -> Iterator[Broken]:
    yield wave("programme_name_unusual", "Mix", axml('"Atmos_Master"', '"Mix"'))
    end = "</audioBlockFormat></audioChannelFormat>"
    frequency = '<frequency typeDefinition="lowPass">120</frequency></audioChannelFormat>'
    yield wave("frequency_present", "LFE", axml(end, "</audioBlockFormat>" + frequency))
