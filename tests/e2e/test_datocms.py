"""The official client of DatoCMS gives an upload its tracks, through real workers."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import TYPE_CHECKING, Any

from tests.e2e.clients.install import HERE, NODE, installed
from tests.support import replies
from tests.support.media import flac

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.stack import Stack

SUBRIP = b"1\n00:00:01,000 --> 00:00:02,000\nCiao\n"
WEBVTT = b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n"
EMPTY = b"WEBVTT\n"
CLIP = b"moving pictures"
NODE_SECONDS = 240


async def test_the_official_client_gives_an_upload_its_tracks(stack: Stack, tmp_path: Path) -> None:
    files = {"clip.mp4": CLIP, "it.srt": SUBRIP, "de.wav": flac.wave(flac.CD)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    seen = await asyncio.to_thread(
        _run,
        f"{stack.ready['http']}/datocms",
        stack.ready["token"],
        *(str(tmp_path / name) for name in files),
        stack.origin.serve("/datocms/en.vtt", replies.file(WEBVTT)),
        stack.origin.serve("/datocms/fr.vtt", replies.file(EMPTY)),
    )
    track = {"status": "ready", "closed_captions": False, "type": "subtitles"}
    assert seen == {
        "upload": {"filename": "clip.mp4", "size": len(CLIP)},
        "listed": [True],
        "created": [
            {**track, "name": "Italiano"},
            {**track, "name": "Deutsch", "type": "audio", "closed_captions": None},
            {**track, "name": "English", "closed_captions": True},
        ],
        "refused": ["subtitles_empty"],
        "changed": "Sottotitoli",
        "deleted": True,
        "left": [["it-IT", "ready"], ["en", "ready"], ["fr", "errored"]],
        "gone": "NOT_FOUND",
    }


def _run(*arguments: str) -> Any:
    """What the program prints; it is read from standard input to find modules in the folder."""
    done = subprocess.run(
        [NODE, "--input-type=module", "-", *arguments],
        cwd=installed(),
        input=(HERE / "datocms.mjs").read_bytes(),
        capture_output=True,
        timeout=NODE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
