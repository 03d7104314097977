"""The axml reader: bounded whatever the XML is, the same whether a block is parsed or matched."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cli.demo.master import Spec, master
from shared.adm import axml, block_reader, block_templates
from shared.adm.axml import read_axml
from shared.adm.riff import Chunk
from shared.adm.source import FormatError, open_source
from shared.adm.times import parse_time
from shared.adm.trajectories import Trajectories

if TYPE_CHECKING:
    from pathlib import Path

    from shared.adm.blocks import Block
    from shared.adm.model import Adm

_OPEN = '<audioChannelFormat audioChannelFormatID="AC_00031001" typeLabel="0003">'
_ROOT = "<a><audioFormatExtended>{}</audioFormatExtended></a>"
_BLOCK = (
    '<audioBlockFormat audioBlockFormatID="AB_00031001_{0:08x}" rtime="00:00:00.{0:05}"'
    ' duration="00:00:00.00001"><cartesian>1</cartesian><position coordinate="X">{1}</position>'
    '<position coordinate="Y">0.25</position></audioBlockFormat>'
)


def read(text: str | bytes, folder: Path, *, templates: bool = True) -> tuple[Adm, list[Block]]:
    path = folder / "axml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    blocks: list[Block] = []
    with open_source(path) as source, pytest.MonkeyPatch.context() as patch:
        if not templates:
            patch.setattr(block_templates, "MAX_TEMPLATES", 0)
        return read_axml(
            source, Chunk("axml", 0, source.size), sample_rate=48_000, on_block=blocks.append
        ), blocks


def in_channel(content: str) -> str:
    return _ROOT.format(f"{_OPEN}{content}</audioChannelFormat>")


def seen(block: Block) -> tuple[object, ...]:
    form = block.form
    return (
        *(block.channel, block.index, block.start, block.duration, block.previous_end),
        *(repr(block.numbers), block.malformed, form.kind, form.first, form.numbers, block.node()),
    )


def test_the_elements_are_a_tree(tmp_path: Path) -> None:
    text = '<x:audioFormatExtended xmlns:x="urn:x"><x:audioObject xmlns="urn:y"'
    text += ' xmlns:z="urn:z" audioObjectID="AO_1001" b="c">'
    text += " <x:audioTrackUIDRef>ATU_1</x:audioTrackUIDRef><audioPackFormatIDRef> AP_1 \n"
    text += "</audioPackFormatIDRef><p><q>r</q></p></x:audioObject><other>1</other>"
    adm, _ = read(f"<root><skipped/>{text}</x:audioFormatExtended></root>", tmp_path)

    element = adm.of("audioObject")[0]
    assert (adm.roots, element.kind, element.identifier) == (1, "audioObject", "AO_1001")
    assert element.attributes == {"audioObjectID": "AO_1001", "b": "c"}
    assert element.references == (("audioTrackUID", "ATU_1"), ("audioPackFormat", "AP_1"))
    assert element.refers_to("audioPackFormat") == ("AP_1",)
    nested = element.first("p")
    assert nested is not None
    assert [child.text for child in nested.all("q")] == ["r"]
    assert element.first("nothing") is None
    assert [(node.name, node.text) for node in adm.others] == [("other", "1")]
    assert list(adm) == [element]


def test_a_bed_channel_keeps_its_block(tmp_path: Path) -> None:
    text = master(Spec(objects=1, seconds=0.5)).chunks["axml"]
    adm, blocks = read(text, tmp_path)

    bed, moving = adm.of("audioChannelFormat")[0], adm.of("audioChannelFormat")[-1]
    block = bed.first("audioBlockFormat")
    assert block is not None
    assert [each.name for each in block.children] == [
        *("cartesian", "speakerLabel", "position", "position", "position")
    ]
    assert [float(each.text) for each in block.all("position")] == [-1, 1, 0]
    assert (bed.blocks, moving.blocks, moving.blocks_end) == (1, 2, 50_000)
    assert moving.first("audioBlockFormat") is None
    assert len(blocks) == 12


_ODD_BLOCKS = {
    "a comment": "<!-- " + _BLOCK.format(7, "1") * 2 + " -->" + _BLOCK.format(2, "0.5"),
    "CDATA": "<![CDATA[" + _BLOCK.format(7, "1") * 2 + "]]>" + _BLOCK.format(2, "0.5"),
    "CDATA in a number": _BLOCK.format(2, "<![CDATA[0.5]]>") + _BLOCK.format(3, "0.5"),
    "a comment in a block": _BLOCK.format(2, "<!-- 0.3 -->0.5") + _BLOCK.format(3, "0.1"),
    "a comment with a number": _BLOCK.format(2, "1").replace("<car", "<!--<gain>1</gain>--><car")
    + _BLOCK.format(3, "1").replace("<car", "<!--<gain>2</gain>--><car"),
    "a character by number": _BLOCK.format(2, "&#48;.5") + _BLOCK.format(3, "0.5"),
    "an element in a number": _BLOCK.format(2, "<gain>1</gain>") + _BLOCK.format(3, "1"),
    "another element": _BLOCK.format(2, "1").replace("</audioB", "<gain>2</gain></audioB"),
    "another order": _BLOCK.format(2, "1").replace("cartesian", "c") + _BLOCK.format(3, "1"),
    "no number": _BLOCK.format(2, "east") + _BLOCK.format(3, "1"),
    "apostrophes": _BLOCK.format(2, "1").replace('"', "'") + _BLOCK.format(3, "1"),
    "not ASCII": _BLOCK.format(2, "1").replace(">1<", ">\N{EM DASH}<") * 2,
    "spaces": " \n" + _BLOCK.format(2, " 1 ") + "\t" + _BLOCK.format(3, " 1 "),
    "a block in a block": _BLOCK.format(2, "1").replace("<car", _BLOCK.format(3, "1") + "<car"),
}


@pytest.mark.parametrize("odd", _ODD_BLOCKS.values(), ids=_ODD_BLOCKS)
def test_matching_reads_what_parsing_reads(odd: str, tmp_path: Path) -> None:
    plain = "".join(_BLOCK.format(index, f"0.{index}") for index in range(1, 40))
    text = in_channel(plain + odd + plain + odd)

    adm, blocks = read(text, tmp_path)
    parsed_adm, parsed = read(text, tmp_path, templates=False)

    assert [seen(block) for block in blocks] == [seen(block) for block in parsed]
    assert adm == parsed_adm
    assert len(blocks) >= 80


@pytest.mark.parametrize("feed", [64, 500, 4097])
def test_windows_may_end_anywhere(
    feed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = in_channel("".join(_BLOCK.format(index, f"0.{index}") for index in range(1, 200)))
    whole = [seen(block) for block in read(text, tmp_path)[1]]
    monkeypatch.setattr(axml, "_FEED_BYTES", feed)

    assert [seen(block) for block in read(text, tmp_path)[1]] == whole
    assert len(whole) == 199


@pytest.mark.parametrize("at", range(3, 60, 4))
def test_cut_xml_is_refused(at: int, tmp_path: Path) -> None:
    text = in_channel("".join(_BLOCK.format(index, "1") for index in range(1, 30)))
    with pytest.raises(FormatError, match="not well-formed"):
        read(text[: len(text) * at // 60], tmp_path)


def test_a_fault_is_located(tmp_path: Path) -> None:
    text = in_channel("".join(_BLOCK.format(index, "1") for index in range(1, 30)) + "</x>")
    with pytest.raises(FormatError, match="mismatched tag") as caught:
        read(text, tmp_path)
    assert abs(caught.value.offset - text.index("</x>")) < 4


_WIDE = "<b " + " ".join(f"c{index}=''" for index in range(1200)) + "/>"
_REFUSED = {
    "not well-formed": _ROOT.format("<b></c>"),
    "document type": "<!DOCTYPE a>" + _ROOT,
    "UTF-16": _ROOT.encode("utf-16"),
    "64 deep": "<b>" * 70 + "</b>" * 70,
    "too long": "<b c='" + "d" * (2 << 20) + "'/>",
    "more names": "".join(f"<b{index}/>" for index in range(axml.MAX_NAMES)),
    "more elements": in_channel(_WIDE * 100),
    "An audioBlockFormat has more": in_channel(f"<audioBlockFormat>{'<b/>' * 60_000}"),
    "more elements than any": "<audioFormatExtended/>" * 100_001,
    "more elements than": "<audioObject/>" * 20_001,
    "has more elements": _WIDE.replace("<b", "<audioObject") * 100,
    "than its size allows": in_channel("<audioBlockFormat/>" * 60_000),
    "The blocks differ": in_channel(
        "".join(f"<audioBlockFormat>{f'<b>{i}</b>' * 500}</audioBlockFormat>" for i in range(300))
    ),
    "differ in more ways": in_channel(
        "".join(f"<audioBlockFormat><b>{i}</b></audioBlockFormat>" for i in range(10_100))
    ),
}


@pytest.mark.parametrize(("word", "text"), _REFUSED.items(), ids=_REFUSED)
def test_what_grows_is_refused(word: str, text: str | bytes, tmp_path: Path) -> None:
    if isinstance(text, str):
        text = text.replace("{}", "") if text.startswith(("<a>", "<!")) else _ROOT.format(text)
    with pytest.raises(FormatError, match=re.escape(word)):
        read(text, tmp_path)


@pytest.mark.parametrize("inside", ["<!--{}-->", "<c><![CDATA[{}]]></c>", "<c d='{}'/>"])
def test_ends_of_blocks_that_are_none_take_no_time(inside: str, tmp_path: Path) -> None:
    plain = "".join(_BLOCK.format(index, "1") for index in range(1, 5))
    ends = ("</audioBlockFormat>" * 50_000).replace("<", "&lt;" if "'" in inside else "<")
    start = time.process_time()

    _, blocks = read(in_channel(plain + inside.format(ends) + plain), tmp_path)

    assert len(blocks) == 8
    assert time.process_time() - start < 2


def test_blocks_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_reader, "MAX_BLOCKS", 10)
    text = "".join(_BLOCK.format(index, "1") for index in range(1, 12))
    with pytest.raises(FormatError, match="more audioBlockFormats"):
        read(in_channel(text), tmp_path)


def test_many_blocks_of_a_real_size_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_reader, "FEW_BLOCKS", 10)
    text = in_channel("".join(_BLOCK.format(index, "1") for index in range(1, 100)))
    assert len(read(text, tmp_path)[1]) == 99


def test_a_few_blocks_may_be_short(tmp_path: Path) -> None:
    assert len(read(in_channel("<audioBlockFormat/>" * 100), tmp_path)[1]) == 100


def test_texts_of_a_block_are_bounded(tmp_path: Path) -> None:
    long = "x" * (block_reader.MAX_TEXT + 1)
    [block] = read(
        in_channel(f'<audioBlockFormat><b c="{long}">{long}</b></audioBlockFormat>'), tmp_path
    )[1]
    [child] = block.form.children
    assert child.text == child.attributes["c"] == long[1:]


def test_a_template_is_for_one_type_of_channel(tmp_path: Path) -> None:
    plain = "".join(_BLOCK.format(index, "1") for index in range(1, 10))
    text = in_channel(f"{plain}</audioChannelFormat>{_OPEN.replace('0003', '0001')}{plain}")
    kinds = [block.form.kind for block in read(text, tmp_path)[1]]
    assert kinds == ["Objects"] * 9 + ["DirectSpeakers"] * 9


def test_what_stands_before_an_element_is_not_its_text(tmp_path: Path) -> None:
    [block] = read(in_channel("<audioBlockFormat>a<b>1</b></audioBlockFormat>"), tmp_path)[1]
    assert [child.text for child in block.form.children] == ["1"]


def test_only_a_channel_has_blocks(tmp_path: Path) -> None:
    adm, blocks = read(
        _ROOT.format(f"<audioObject>{_BLOCK.format(1, '1')}</audioObject>"), tmp_path
    )
    assert [each.name for each in adm.of("audioObject")[0].children] == ["audioBlockFormat"]
    assert blocks == []


def test_a_chunk_that_is_too_long_is_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "axml"
    path.write_bytes(b"")
    chunk = Chunk("axml", 0, axml.MAX_AXML_BYTES + 1)
    with open_source(path) as source, pytest.raises(FormatError, match="An axml chunk of"):
        read_axml(source, chunk)


def test_a_comment_may_look_like_blocks_where_a_window_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(axml, "_FEED_BYTES", 1024)
    plain = "".join(_BLOCK.format(index, "1") for index in range(1, 5))
    head, tail = in_channel("{}").split("{}")
    begun = f"{head}{plain}<!--{_BLOCK.format(7, '1')}"
    begun = begun.ljust(len(begun) + -len(begun) % 1024)
    inside = _BLOCK.format(8, "1") * 2 + "-->"
    assert len(read(f"{begun}{inside}{_BLOCK.format(5, '1')}{tail}", tmp_path)[1]) == 5


def test_long_texts_take_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "axml"
    with path.open("wb") as file:
        channel = f"{_OPEN}{_BLOCK.format(1, '1')}</audioChannelFormat>"
        file.write(f"<a><audioFormatExtended>{channel}<audioObject>".encode())
        file.writelines(b"x" * (1 << 20) for _ in range(100))
        file.write(b"</audioObject></audioFormatExtended></a>")
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from shared.adm import axml, source\n"
        "from shared.adm.riff import Chunk\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with source.open_source(Path(sys.argv[1])) as file:\n"
        "    adm = axml.read_axml(file, Chunk('axml', 0, file.size))\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(len(adm.of('audioObject')[0].text), after - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, check=True
    )
    length, kibibytes = map(int, done.stdout.split())
    assert length == block_reader.MAX_TEXT
    assert kibibytes < 8 * 1024


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", ""])
def test_the_encoding_is_noted(encoding: str, tmp_path: Path) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?>' if encoding else ""
    adm, _ = read(head + _ROOT.format(""), tmp_path)
    assert adm.encoding == encoding


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:00:00.00000", 0),
        ("01:02:03.45678", 372_345_678),
        ("99:59:59.99999", 35_999_999_999),
        *((text, None) for text in ("", "00:00:00.0000", "00:00:00.000000", "00:00:60.00000")),
        *((text, None) for text in ("00-00-00.00000", "+1:00:00.00000", "00:00:00.0000\u0661")),
    ],
)
def test_times_are_exact(text: str, expected: int | None) -> None:
    assert parse_time(text) == expected


def test_trajectories_are_columns(tmp_path: Path) -> None:
    gains = ["", "<gain>0.5</gain>", '<gain gainUnit="dB">-20</gain>']
    jump = '<jumpPosition interpolationLength="0.005208">1</jumpPosition></audioBlockFormat>'
    blocks = "".join(
        _BLOCK.format(index + 1, "-0.5").replace("</audioBlockFormat>", gain + jump)
        for index, gain in enumerate(gains)
    )
    path = tmp_path / "axml"
    path.write_text(in_channel(blocks))
    paths = Trajectories()
    with open_source(path) as source:
        read_axml(source, Chunk("axml", 0, source.size), on_block=paths)

    path_of = paths.by_channel["AC_00031001"]
    assert path_of.start.tolist() == pytest.approx([0.00001, 0.00002, 0.00003])
    assert path_of.duration.tolist() == [0.00001] * 3
    assert (path_of.x.tolist(), path_of.z.tolist()) == ([-0.5] * 3, [0.0] * 3)
    assert path_of.y.tolist() == [0.25] * 3
    assert path_of.gain.tolist() == pytest.approx([1.0, 0.5, 0.1])
    assert path_of.interpolation.tolist() == [0.005208] * 3
