"""Fifty megabytes of hostile XML get a verdict in the sandbox: 10 s of the processor, 512 MB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.demo.master import Spec, Wave, master
from services.validator.sandbox import Limits, inspect_in_child

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.validator.profile import Profile

pytestmark = pytest.mark.long

SIZE = 50 << 20
LIMITS = Limits(cpu_seconds=10)
MALFORMED = "axml_malformed"


def full(unit: str) -> str:
    return unit * (SIZE // len(unit))


def numbered(unit: str) -> str:
    return "".join(map(unit.format, range(SIZE // len(unit.format(10**6)))))


def in_a_channel(wave: Wave, text: str) -> bytes:
    head, end, tail = wave.chunks["axml"].decode().partition("</audioChannelFormat>")
    return f"{head}{text}{end}{tail}".encode()


BLOCK = (
    '<audioBlockFormat audioBlockFormatID="AB_00031001_00000001" rtime="00:00:00.00000"'
    ' duration="00:00:01.00000"><cartesian>1</cartesian><position coordinate="X">0</position>'
    '<position coordinate="Y">0</position><position coordinate="Z">0</position>'
    "</audioBlockFormat>"
)
FLOODS: dict[str, tuple[Callable[[], str], str]] = {
    "blocks in disorder": (lambda: full(BLOCK), "block_sequence_wrong"),
    "the shortest blocks": (lambda: full("<audioBlockFormat/>"), MALFORMED),
    "blocks that all differ": (
        lambda: numbered('<audioBlockFormat a{0}="1"><p{0}/></audioBlockFormat>'),
        MALFORMED,
    ),
    "positions in one block": (
        lambda: "<audioBlockFormat>" + full('<position coordinate="X">0.1</position>'),
        MALFORMED,
    ),
    "elements": (lambda: full("<x/>"), MALFORMED),
    "elements of many names": (lambda: numbered("<n{0}/>"), MALFORMED),
    "depth": (lambda: full("<a>"), MALFORMED),
    "attributes": (lambda: "<a " + numbered('b{0}="" ') + "/>", MALFORMED),
    "one attribute": (lambda: f'<a b="{full("t")}"/>', MALFORMED),
    "one comment": (lambda: f"<!--{full('c')}-->", MALFORMED),
    "references": (
        lambda: full("<audioPackFormatIDRef>AP_00031001</audioPackFormatIDRef>"),
        MALFORMED,
    ),
    "text": (lambda: f"<a>{full('t')}</a>", "element_not_allowed"),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_is_refused(tmp_path: Path, atmos: Profile, flood: str) -> None:
    make, code = FLOODS[flood]
    wave = master(Spec(objects=1, seconds=0.1))
    path = tmp_path / "master.wav"
    wave.with_chunk("axml", in_a_channel(wave, make())).write(path)
    report = await inspect_in_child(path, atmos, limits=LIMITS)
    assert code in {each.code for each in report.problems}
