"""Wave files: the container, then the ADM BWF master in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import read_adm_master
from services.validator.rules import load
from services.validator.rules.blocks_judge import BlockJudge
from shared.adm.chna import Chna
from shared.adm.model import Adm
from shared.adm.riff import Fmt, RiffFile, read_riff, wave_format
from shared.adm.source import FormatError
from shared.adm.trajectories import Trajectories

if TYPE_CHECKING:
    from services.validator.formats.adm_bwf import AdmMaster
    from services.validator.formats.recognise import Recognised
    from services.validator.verdict import Verdict
    from shared.adm.blocks import Block, Run
    from shared.adm.source import Source

load("wave", "pcm", "timing", "chna", "dolby_metadata", "dolby_delivery", "axml_encoding")
load("adm", "adm_beds", "adm_chain", "adm_identifiers", "adm_presence", "adm_references")
load("adm_values", "blocks", "blocks_order", "blocks_values", "blocks_zones")

ADM_BWF = "adm_bwf"


def judge_wave(source: Source, recognised: Recognised, verdict: Verdict) -> None:
    """Judge a wave file."""
    riff = read_riff(source)
    if isinstance(riff.fmt, Fmt):
        verdict.format = wave_format(riff, riff.fmt)
    if not verdict.judge_container(riff) or not isinstance(riff.fmt, Fmt):
        return
    carries = ADM_BWF if riff.chunk("axml") or riff.chunk("chna") else ""
    if verdict.identify(recognised, carries):
        _judge_master(source, riff, riff.fmt, verdict)


def _judge_master(source: Source, riff: RiffFile, fmt: Fmt, verdict: Verdict) -> None:
    block_judge, trajectories = BlockJudge(verdict.profile), Trajectories()
    # Only a render follows the objects.
    moving = verdict.asked.audio

    def on_block(block: Block) -> None:
        block_judge(block)
        if moving:
            trajectories(block)

    def on_run(run: Run) -> bool:
        passed = block_judge.passes(run)
        if passed and moving:
            trajectories.extend(run)
        return passed

    master = read_adm_master(source, riff, fmt, on_block, on_run)
    verdict.master, verdict.paths = master, trajectories.by_channel
    verdict.format = wave_format(riff, fmt, master.bed_channels, master.objects)
    verdict.problems += block_judge.problems()
    # MediaInfo keeps a tree of the whole axml, and what we refuse to read may fill the memory.
    verdict.readable = not isinstance(master.adm, FormatError)
    # What the metadata get wrong cannot be routed, so it is not listened to.
    if verdict.judge(master) and verdict.asked.audio:
        _listen(source, master, verdict)


def _listen(source: Source, master: AdmMaster, verdict: Verdict) -> None:
    # Imported when it is needed: the structure path stays light.
    from services.validator.audio.measure import measure
    from services.validator.rules.audio import Audio
    from shared.adm.routing import routes_of

    data, fmt, asked = master.riff.chunk("data"), master.fmt, verdict.asked
    if data is None or not isinstance(master.adm, Adm) or not isinstance(master.chna, Chna):
        return
    verdict.measured = measure(
        source,
        data.offset,
        data.size,
        fmt.channels,
        fmt.bit_depth,
        fmt.sample_rate,
        routes_of(master.adm, master.chna, verdict.paths, fmt.channels),
        lambda done: asked.on_progress("audio", done, master.frames),
    )
    verdict.judge(Audio(verdict.measured, verdict.profile.delivery, asked.stereo_seconds))
