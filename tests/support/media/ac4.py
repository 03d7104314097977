"""The dac4 box of an AC-4 track (ETSI TS 103 190-2 Annex E)."""

from __future__ import annotations

from tests.support.media.bits import Bits
from tests.support.media.mp4 import box


def dac4(*, a_joc: bool = True, indicator: bool = False) -> bytes:
    """Return the box of one presentation: of objects by A-JOC, or of plain channels."""
    body = Bits().put(5, 31).put(3, 4).put(1, 0).put(2, 0).put(2, 0).put(5, 0).put(10, 0)
    if a_joc:
        body.put(1, 0)
    else:
        body.put(1, 1).put(5, 4).put(24, 0x000047)
    body.put(1, 0).put(1, 0).put(1, 1).put(1, 0)
    body.put(1, int(not a_joc)).put(8, 1).put(2, 0).put(1, 0)
    if a_joc:
        body.put(1, 1).put(1, 0).put(4, 8).put(6, 15).put(4, 0b0100)
    else:
        body.put(24, 0x000047)
    body.put(1, 0).put(1, 0).put(1, 0).put(1, 0).put(1, 0).align()
    presentation = bytes(body.put(1, 1).put(1, int(indicator)).put(6, 0))
    head = Bits().put(3, 1).put(7, 2).put(1, 1).put(4, 13).put(9, 1).put(1, 0)
    head.put(2, 1).put(32, 0).put(32, 0xFFFFFFFF).align()
    return box("dac4", bytes(head), bytes([1, len(presentation)]), presentation)
