"""The commands on the facades' pages do what the pages say, pasted as they are."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import replies
from tests.support.media import eac3, flac, mp4
from tests.support.pictures import picture
from tests.support.stack import running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.stack import Stack

DOCS = Path(__file__).parents[2] / "docs"
HOST = "http://127.0.0.1:8080"
FIRST_COMMANDS = re.compile(r"```sh\n(.*?)```", re.DOTALL)
MASTER = re.compile(r"https://cdn\.example\.com(/[\w.-]+)")
ATMOS = mp4.plain(mp4.Track(frames=eac3.joc_frames(50), config=mp4.dec3()))
SECONDS = 120


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The product as it is when it was never used: numbers begin with 1."""
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


async def paste(stack: Stack, page: str, folder: Path, body: bytes = b"") -> list[Any]:
    """The JSON documents that a page's first commands print.

    ``body`` is what any URL of a master leads to. They are run where the files lie that they name.
    """
    found = FIRST_COMMANDS.search((DOCS / page).read_text())
    assert found is not None
    commands = found[1].replace(HOST, stack.ready["http"])
    for path in set(MASTER.findall(commands)):
        url = stack.origin.serve(path, replies.file(body))
        commands = commands.replace(f"https://cdn.example.com{path}", url)
    (folder / "var").mkdir()
    (folder / "var" / "token").write_text(stack.ready["token"])
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return documents(done.stdout.decode())


def documents(printed: str) -> list[Any]:
    """What was printed one after the other, without the words between."""
    decoder, found = json.JSONDecoder(), []
    while (at := printed.find("{")) >= 0:
        document, end = decoder.raw_decode(printed, at)
        found.append(document)
        printed = printed[end:]
    return found


async def test_json_api(stack: Stack, tmp_path: Path) -> None:
    (shown,) = await paste(stack, "json-api.md", tmp_path, ATMOS)
    assert shown["data"]["attributes"]["status"] == "completed"
    assert [each["type"] for each in shown["included"]] == ["records"]


async def test_idol(stack: Stack, tmp_path: Path) -> None:
    task, listed = await paste(stack, "idol.md", tmp_path, flac.wave(flac.CD))
    assert task["data"]["attributes"]["master-type"] == "cd"
    assert task["data"]["relationships"]["attachable"]["data"]["type"] == "tracks"
    assert (listed["data"], listed["meta"]["record-count"]) == ([], 0)


async def test_import_and_publish(stack: Stack, tmp_path: Path) -> None:
    master = flac.wave(flac.HD)
    (tmp_path / "85-slow-dub.wav").write_bytes(master)
    made, first, second, formats, queued, over, listed, link = await paste(
        stack, "sourceaudio.md", tmp_path, master
    )
    assert made == {"job_id": 1}
    assert (first["upload_id"], first["status"], first["sources"]) == (
        1,
        "uploaded",
        ["84-fat-dub-beat.wav"],
    )
    assert first["meta"]["Artist"] == "Somebody"
    assert (second["upload_id"], second["sources"]) == (2, ["85-slow-dub.wav"])
    assert formats["track"]["formats"] == ["mp3", "aiff"]
    assert queued == {
        "result": "success",
        "job_id": 1,
        "queued": 2,
        "oncomplete": "https://example.com/published",
    }
    assert over == {"d": 2}
    assert [each["status"] for each in listed["tracks"]] == ["published", "published"]
    assert link["url"].startswith(stack.ready["http"])


async def test_upload_sessions(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "track-1.wav").write_bytes(ATMOS)
    (tmp_path / "cover.jpg").write_bytes(picture("mjpeg", 400, 400))
    *_, session = await paste(stack, "upload-sessions.md", tmp_path)
    assert session["ok"] is True
    assert session["upload_session"]["metadata"] == {"batch_name": "Summer 2024 Collection"}


async def test_upload_tracks(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"moving pictures")
    (tmp_path / "it.srt").write_bytes(b"1\n00:00:01,000 --> 00:00:02,000\nCiao\n")
    *_, result, listed = await paste(stack, "datocms.md", tmp_path)
    assert result["data"]["attributes"]["status"] == 200
    (track,) = listed["data"]
    assert (track["attributes"]["name"], track["attributes"]["status"]) == ("Italiano", "ready")
