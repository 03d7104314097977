"""MPEG transport streams: the packets, then the codec of the sound."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from services.validator.families.codecs import judge_pieces
from services.validator.formats import mpeg_ts
from services.validator.formats.kinds import CODED
from services.validator.formats.mpeg_ts import Layout, TransportStream
from services.validator.formats.pes import elementary
from services.validator.formats.recognise_ts import choose
from services.validator.rules import load
from shared.adm.source import FormatError, Source

if TYPE_CHECKING:
    from services.validator.formats.kinds import Recognised
    from services.validator.verdict import Verdict

load("mpeg_ts")

_HEAD_BYTES = 4096


def judge_mpeg_ts(source: Source, recognised: Recognised, verdict: Verdict) -> None:
    """Judge a transport stream: its packets in a pass of their own, then what they carry."""
    layout = mpeg_ts.find_layout(source.peek(0, _HEAD_BYTES)) or Layout(188, 0)
    stream = TransportStream(source.size, layout)
    pid = _check_packets(source, stream)
    if not verdict.judge_container(stream):
        return
    if pid is None or recognised.kind not in CODED:
        verdict.identify(recognised, "")
        return
    pieces = elementary(source, TransportStream(source.size, layout), pid)
    judge_pieces(pieces, recognised, verdict)


def _check_packets(source: Source, stream: TransportStream) -> int | None:
    """Note what is wrong with the packets; return the PID of the sound, None without any."""
    try:
        chosen = choose(mpeg_ts.read_programme(source, stream.layout))
        if chosen:
            deque(elementary(source, stream, chosen[0].pid), maxlen=0)
    except FormatError as error:
        stream.broken = error
        return None
    return chosen[0].pid if chosen else None
