"""What a dead run left is used when it can be proven, and never believed otherwise."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services.downloader.resume import Note
from shared.blobs.local import LocalStore
from tests.support import replies
from tests.support.downloads import BODY, MD5, PATH
from tests.support.origin import Gate, running_origin
from tests.support.replies import PIECE

if TYPE_CHECKING:
    from tests.support.downloads import Bench
    from tests.support.origin import Exchange, Origin, Reply

HALF = 1_500_000


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def leave(bench: Bench, url: str, part: bytes, /, **note: Any) -> Path:
    """Leave a part as a dead run would have, and its note with these fields changed."""
    path = bench.folder / f"acme/{bench.task_id}/1/{uuid.uuid4()}.part"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(part)
    fields = {
        "url": url,
        "validator": '"v1"',
        "total": len(BODY),
        "offset": HALF,
        "md5": md5(BODY[:HALF]),
    }
    path.with_name(f"{path.name}.note").write_bytes(json.dumps(fields | note).encode())
    return path


@pytest.mark.parametrize("part", [BODY[:HALF], BODY[:HALF] + b"\0" * HALF, BODY[: HALF + 7]])
async def test_a_proven_part_is_gone_on_with(bench: Bench, origin: Origin, part: bytes) -> None:
    url = origin.serve(PATH, replies.file(BODY))
    left = leave(bench, url, part)
    with left.open("rb") as dead:
        assert bench.stored(await bench.run(f"{url}?signed=anew", MD5)) == BODY
        assert dead.read() == part  # never written into
    (request,) = origin.requests
    assert (request.headers["range"], request.headers["if-range"]) == (f"bytes={HALF}-", '"v1"')
    assert origin.served[PATH] == len(BODY) - HALF
    assert bench.progress[0][0] < HALF  # the copying is shown, too
    assert (HALF, len(BODY)) in bench.progress
    assert len(bench.files()) == 1  # its room is given back


async def test_a_part_that_proves_nothing_gives_its_room_back(bench: Bench, origin: Origin) -> None:
    url = origin.serve(PATH, replies.file(BODY))
    leave(bench, url, b"?" + BODY[1:HALF])
    assert bench.stored(await bench.run(url)) == BODY
    assert len(bench.files()) == 1


async def test_a_run_that_ends_after_resuming_can_be_resumed(bench: Bench, origin: Origin) -> None:
    noted: list[bytes] = []

    async def look(exchange: Exchange) -> None:
        noted.extend(left.note for left in LocalStore(bench.folder).leftovers(""))
        await replies.file(BODY)(exchange)

    url = origin.serve(PATH, look)
    leave(bench, url, BODY[:HALF])
    assert bench.stored(await bench.run(url)) == BODY
    (note,) = noted
    assert json.loads(note)["validator"] == '"v1"'


async def test_a_part_that_is_whole_costs_nothing(bench: Bench, origin: Origin) -> None:
    url = origin.serve(PATH, replies.file(BODY))
    leave(bench, url, BODY, offset=len(BODY), md5=MD5)
    assert bench.stored(await bench.run(url)) == BODY
    assert origin.served[PATH] == 0


@pytest.mark.parametrize(
    ("part", "note"),
    [
        (b"?" + BODY[1:HALF], {}),
        (BODY[: HALF - 1], {}),
        (b"", {}),
        (BODY[:HALF], {"md5": md5(b"")}),
        (BODY[:HALF], {"md5": md5(BODY[:HALF]).upper()}),
        (BODY[:HALF], {"offset": HALF - 1}),
        (BODY[:HALF], {"offset": 0}),
        (BODY[:HALF], {"offset": 65_535, "md5": md5(BODY[:65_535])}),
        (BODY[:HALF], {"offset": -1}),
        (BODY[:HALF], {"offset": str(HALF)}),
        (BODY[:HALF], {"total": HALF - 1}),
        (BODY[:HALF], {"total": 10**15}),
        (BODY[:HALF], {"validator": 'W/"v1"'}),
        (BODY[:HALF], {"validator": '"v1"\r\nX-Evil: 1'}),
        (BODY[:HALF], {"validator": ""}),
        (BODY[:HALF], {"validator": None}),
        (BODY[:HALF], {"url": None}),
    ],
)
async def test_what_proves_nothing_is_not_asked_about(
    bench: Bench, origin: Origin, part: bytes, note: dict[str, Any]
) -> None:
    url = origin.serve(PATH, replies.file(BODY))
    leave(bench, url, part, **note)
    assert bench.stored(await bench.run(url)) == BODY
    (request,) = origin.requests
    assert "range" not in request.headers


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 4000, b"1" * 4000]
)
def test_a_note_that_is_none(text: bytes) -> None:
    assert Note.decoded(text) is None


@pytest.mark.parametrize(
    "reply", [replies.file(BODY, etag='"v2"'), replies.file(BODY, ranges=False)]
)
async def test_a_file_that_changed_begins_anew(bench: Bench, origin: Origin, reply: Reply) -> None:
    url = origin.serve(PATH, reply)
    other = b"?" * HALF
    leave(bench, url, other, md5=md5(other))
    assert bench.stored(await bench.run(url)) == BODY
    assert len(origin.requests) == 1


@pytest.mark.parametrize("lie", [{"url": "https://elsewhere.test/"}, {"total": len(BODY) + 1}])
async def test_a_range_of_another_file_begins_anew(
    bench: Bench, origin: Origin, lie: dict[str, Any]
) -> None:
    url = origin.serve(PATH, replies.file(BODY))
    other = b"?" * HALF
    leave(bench, url, other, md5=md5(other), **lie)
    assert bench.stored(await bench.run(url)) == BODY
    assert ["range" in request.headers for request in origin.requests] == [True, False]


async def test_a_perfect_lie_does_not_survive_the_declared_md5(
    bench: Bench, origin: Origin
) -> None:
    url = origin.serve(PATH, replies.file(BODY))
    other = b"?" * HALF
    leave(bench, url, other, md5=md5(other))
    assert bench.stored(await bench.run(url, MD5)) == BODY
    assert ["range" in request.headers for request in origin.requests] == [True, False]


async def test_the_longest_that_holds_is_taken(bench: Bench, origin: Origin) -> None:
    url = origin.serve(PATH, replies.file(BODY))
    leave(bench, url, BODY[:99_000], offset=99_000, md5=md5(BODY[:99_000]))
    leave(bench, url, BODY[:HALF])
    leave(bench, url, b"?" * (HALF + 1), offset=HALF + 1)
    assert bench.stored(await bench.run(url)) == BODY
    assert origin.served[PATH] == len(BODY) - HALF


async def test_parts_of_another_generation_are_another_file(bench: Bench, origin: Origin) -> None:
    url = origin.serve(PATH, replies.file(BODY))
    left = leave(bench, url, BODY[:HALF])
    left.parent.rename(left.parent.with_name("2"))
    assert bench.stored(await bench.run(url)) == BODY
    assert "range" not in origin.requests[0].headers


async def test_a_run_notes_what_it_has(
    bench: Bench, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.downloader.hashing.CHECKPOINT_BYTES", 500_000)
    gate = Gate()
    url = origin.serve(PATH, replies.file(BODY, gate=gate, gate_at=2_000_000))
    run = asyncio.create_task(bench.run(f"{url}?secret=1"))
    await gate.reached()
    while not bench.progress or bench.progress[-1][0] < 1_600_000:  # noqa: ASYNC110 - a thread has no event
        await asyncio.sleep(0.01)
    (text,) = [path.read_bytes() for path in bench.folder.rglob("*.note")]
    gate.open()
    assert bench.stored(await run) == BODY
    note = Note.decoded(text.rstrip(b"\0"))
    assert note is not None
    assert (note.version.place, note.version.validator) == (url, '"v1"')
    assert note.version.total == len(BODY)
    assert note.checkpoint.offset >= 500_000
    assert note.checkpoint.md5 == md5(BODY[: note.checkpoint.offset])
    assert not list(bench.folder.rglob("*.note"))


async def test_a_file_that_cannot_be_resumed_is_not_noted(
    bench: Bench, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.downloader.hashing.CHECKPOINT_BYTES", 1)
    gate = Gate()
    reply = replies.file(BODY, etag='W/"v1"', gate=gate, gate_at=2_000_000)
    run = asyncio.create_task(bench.run(origin.serve(PATH, reply)))
    await gate.reached()
    assert list(bench.folder.rglob("*.note")) == []
    gate.open()
    assert bench.stored(await run) == BODY


LARGE = 60_000_000


class Counting:
    """Serves a large file by ranges and counts what it sent; ``past`` is reached at an offset."""

    def __init__(self, body: bytes, past_at: int) -> None:
        self.body = body
        self.past_at = past_at
        self.past = Gate()
        self.past.open()
        self.sent = 0

    async def reply(self, exchange: Exchange) -> None:
        asked = exchange.request.headers.get("range", "bytes=0-")
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        size = len(self.body)
        fields: dict[str, Any] = {"Content_Length": size - start, "ETag": '"v1"'}
        if start:
            fields["Content_Range"] = f"bytes {start}-{size - 1}/{size}"
        await exchange.head(206 if start else 200, **fields)
        for at in range(start, size, PIECE):
            piece = self.body[at : at + PIECE]
            await exchange.body(piece)
            self.sent += len(piece)
            if self.sent >= self.past_at:
                await self.past.pass_through()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_killed_process_costs_little(bench: Bench, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    counting = Counting(chance.randbytes(LARGE), chance.randrange(LARGE // 20, LARGE - LARGE // 20))
    bench.limits = replace(bench.limits, max_bytes=10**9)
    with running_origin() as origin:
        url = origin.serve(PATH, counting.reply)
        ca_file = origin.write_ca(tmp_path / "ca.pem")
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.download_child",
            *map(str, (bench.folder, ca_file, url, bench.task_id)),
            cwd=Path(__file__).parents[3],
        )
        await counting.past.reached()
        child.kill()
        await child.wait()
        bench.tls = origin.trusting()
        outcome = await bench.run(url)
    assert md5(bench.stored(outcome)) == md5(counting.body)
    assert counting.sent < 1.2 * LARGE
