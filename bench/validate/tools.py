"""What is timed, each in its own process: ``python -m bench.validate.tools TOOL FILE MODE``.

Prints the processor's seconds and the peak memory of the process as JSON; for what a service does
with file after file, also the seconds of a second call in the same process.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def structure(path: Path, _: bool) -> None:  # noqa: FBT001 - one signature for all tools
    """Judge containers, metadata and rules, without any sample."""
    from services.validator.formats.recognise import recognise_source
    from services.validator.judging import judge_source
    from services.validator.profile import load_profile
    from services.validator.rules.registry import has_errors
    from services.validator.verdict import Asked
    from shared.adm.source import open_source

    with open_source(path) as source:
        recognised, profile = recognise_source(source), load_profile("atmos")
        verdict = judge_source(source, recognised, profile, Asked(audio=False))
    if has_errors(verdict.problems):
        raise SystemExit(str(verdict.problems[0]))


def audio(path: Path, direct: bool) -> None:  # noqa: FBT001 - one signature for all tools
    """Read the metadata and measure every sample."""
    from services.validator.audio.measure import measure
    from shared.adm.axml import read_axml
    from shared.adm.chna import read_chna
    from shared.adm.riff import Fmt, read_riff
    from shared.adm.routing import routes_of
    from shared.adm.source import open_source
    from shared.adm.trajectories import Trajectories

    with open_source(path) as source:
        riff, paths = read_riff(source), Trajectories()
        axml, chna, data = (riff.chunk(name) for name in ("axml", "chna", "data"))
        if not (axml and chna and data and isinstance(riff.fmt, Fmt)):
            raise SystemExit("not a master")
        tracks, depth, rate = riff.fmt.channels, riff.fmt.bit_depth, riff.fmt.sample_rate
        adm = read_axml(source, axml, on_block=paths)
        routes = routes_of(adm, read_chna(source, chna), paths.by_channel, tracks)
        chosen = None if direct else routes
        measure(source, data.offset, data.size, tracks, depth, rate, chosen)


def mediainfo(path: Path, _: bool) -> None:  # noqa: FBT001 - one signature for all tools
    """Let MediaInfo read the file with its ADM rules."""
    from pymediainfo import MediaInfo

    MediaInfo.parse(path)


def ffmpeg(path: Path, _: bool) -> None:  # noqa: FBT001 - one signature for all tools
    """Let FFmpeg measure loudness and true peak of the tracks as they are."""
    import av
    from av.filter import Graph

    with av.open(str(path)) as container:
        stream, graph = container.streams.audio[0], Graph()
        source, sink = graph.add_abuffer(template=stream), graph.add("abuffersink")
        meter = graph.add("ebur128", "peak=true")
        source.link_to(meter)
        meter.link_to(sink)
        graph.configure()
        for frame in container.decode(stream):
            source.push(frame)
            _drain(sink.pull, (av.BlockingIOError, av.EOFError))


def _drain(pull: Callable[[], object], over: tuple[type[Exception], ...]) -> None:
    try:
        while True:
            pull()
    except over:
        return


TOOLS = {tool.__name__: tool for tool in (structure, audio, mediainfo, ffmpeg)}
_REPEATED = frozenset({structure, mediainfo})


def main(name: str, path: Path, *, direct: bool) -> None:
    """Run a tool, and print what it needed."""
    tool = TOOLS[name]
    tool(path, direct)
    used = {"cpu": time.process_time(), "mebibytes": _peak_mebibytes()}
    if tool in _REPEATED:
        tool(path, direct)
        used["again"] = time.process_time() - used["cpu"]
    print(json.dumps(used))  # noqa: T201


def _peak_mebibytes() -> float:
    """Return our own peak; that of resource.getrusage would be the parent's, if it was larger."""
    status = Path("/proc/self/status").read_text("ascii").split()
    return int(status[status.index("VmHWM:") + 1]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), direct=sys.argv[3] == "direct")
