"""What comes from outside, however bad, fails alone: good imports beside it do not notice."""

from __future__ import annotations

import asyncio
import os
import random as randomness
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cli.demo.master import Spec, master
from tests.support import replies
from tests.support.faults import (
    FLEET,
    LAPTOP,
    first_with_a_child,
    large,
    running_system,
    runs,
    small,
)
from tests.support.origin import Gate

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any
    from uuid import UUID

    from tests.support.faults import Client, Process, Shape, System
    from tests.support.origin import Exchange, Reply

MEBIBYTE = 1 << 20
ATTEMPTS = 2
OK = b"HTTP/1.1 200 OK\r\n"
NOISE = randomness.Random(26).randbytes(300_000)
LIMITS = {
    "api": {"STAGEDOOR_MAX_ATTEMPTS": f"{ATTEMPTS}"},
    "downloader": {
        "STAGEDOOR_DOWNLOAD_STALL_SECONDS": "1",
        "STAGEDOOR_DOWNLOAD_HEADER_SECONDS": "1",
        "STAGEDOOR_DOWNLOAD_MAX_BYTES": f"{16 * MEBIBYTE}",
    },
}
# Of what an inspection of a small master takes there is twice as much.
TIGHT = {
    "api": {"STAGEDOOR_MAX_ATTEMPTS": f"{ATTEMPTS}"},
    "validator": {
        "STAGEDOOR_VALIDATOR_SLOTS": "2",
        "STAGEDOOR_VALIDATOR_CPU_SECONDS": "2",
    },
}
# The kernel's warning at the limit, or its end where the warning's limit is the same.
OUT_OF_TIME = {"killed by SIGXCPU", "killed by SIGKILL"}
FLOOD_BYTES = 50 * MEBIBYTE


def then(*parts: Reply) -> Reply:
    """One reply after the other, on the same connection."""

    async def reply(exchange: Exchange) -> None:
        for part in parts:
            await part(exchange)

    return reply


def bad_origins(gate: Gate) -> dict[str, tuple[Reply, str, int]]:
    """What origins do, the code of the failure, and how many attempts that takes."""
    again, once = ATTEMPTS, 1
    return {
        "nothing": (replies.hang_up(), "origin_unreachable", again),
        "no-http": (replies.raw(b"SSH-2.0-OpenSSH_9\r\n\r\n"), "invalid_response", once),
        "headers-without-end": (
            then(replies.raw(OK), replies.raw(b"X: y\r\n" * 100, repeat=True)),
            "invalid_response",
            once,
        ),
        "two-lengths": (
            replies.raw(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            "invalid_response",
            once,
        ),
        "silence": (replies.silent(gate), "stalled", again),
        "a-stall": (replies.file(NOISE, gate=gate, gate_at=100_000), "stalled", again),
        "a-cut": (replies.file(NOISE, cut_at=100_000), "truncated", again),
        "a-reset": (
            replies.reset(OK + b"Content-Length: 900000\r\n\r\n", NOISE),
            "truncated",
            again,
        ),
        "gzip": (replies.answer(200, NOISE, Content_Encoding="gzip"), "unsupported_encoding", once),
        "no-end": (replies.endless(NOISE), "too_large", once),
        "not-found": (replies.answer(404), "http_status", once),
        "trouble": (replies.answer(500), "origin_error", again),
        "a-loop": (replies.redirect("/f26-a-loop"), "redirect_refused", once),
        "no-tls": (replies.redirect("http://127.0.0.1/"), "redirect_refused", once),
        "a-page": (
            replies.answer(200, b"<!DOCTYPE html><html>"),
            "source_is_html",
            once,
        ),
    }


async def good_ones(client: Client, name: str) -> list[UUID]:
    """Imports that must end well: slow ones, quick ones, and one whose origin mends."""
    body = large(2)
    slow = [
        await client.bring(f"/{name}-{n}.wav", body, bytes_per_second=len(body) // 3)
        for n in range(2)
    ]
    return slow + [await client.bring(f"/{name}-{n}.mp4", small()) for n in range(3)]


async def failure_of(client: Client, id_: UUID) -> dict[str, Any]:
    """The first error of a failed task, and why it failed: ``code``, ``measured``."""
    found = await client.get(id_)
    (error, *_) = found["attributes"]["validationErrors"] or [found["meta"]["failure"]]
    return dict(error)


@pytest.mark.parametrize("shape", [replace(LAPTOP, downloaders=2), FLEET], ids=["laptop", "fleet"])
async def test_f26_bad_origins_beside_good_ones(shape: Shape, tmp_path: Path) -> None:
    """Each row of them alone is in tests/unit/downloader; here they are all at once."""
    gate = Gate()
    bad = bad_origins(gate)
    with running_system(tmp_path, shape, role_settings=LIMITS) as system:
        async with system.client() as client:
            ids = {
                name: await client.create(system.serve(f"/f26-{name}", reply))
                for name, (reply, _, _) in bad.items()
            }
            good = await good_ones(client, "f26")
            mends = replies.file(small(), cut_at=1000), replies.hang_up(), replies.file(small())
            good.append(await client.create(system.serve("/f26-mends.mp4", *mends)))
            await client.all_completed(*good)
            ended = await client.all_final(*ids.values())
            assert set(ended.values()) == {"download_failed"}
            for name, (_, code, attempts) in bad.items():
                assert (await failure_of(client, ids[name]))["code"] == code, name
                assert max(runs.attempts(system.workers, [ids[name]])) == attempts, name
        gate.open()
        await system.check(rss_bytes=256 * MEBIBYTE, descriptors=96)


async def kill_every_child(validators: list[Process], id_: UUID, attempts: int) -> None:
    """Do to each inspection of a task what the kernel does to who has taken too much memory."""
    for _ in range(attempts):
        worker = await runs.who_runs(validators, id_, within=60)
        (child,) = (await first_with_a_child([worker])).children()
        os.kill(child, signal.SIGKILL)
        await runs.ended(worker, id_)


async def test_f29_a_master_that_kills_every_inspection(system: System) -> None:
    """It is tried so many times, fails for that reason, and holds nobody up for ever."""
    body = large(8)
    async with system.client() as client:
        id_ = await client.bring("/f29.wav", body)
        before = {each.name: each.rss_bytes() for each in system.validators}
        killing = asyncio.create_task(kill_every_child(system.validators, id_, attempts=5))
        good = await good_ones(client, "f29")
        await killing
        ended = await client.all_final(id_, *good)
        assert [ended.pop(id_), *set(ended.values())] == ["validation_failed", "completed"]
        failure = await failure_of(client, id_)
        assert (failure["code"], failure["measured"]) == ("validator_crash", "killed by SIGKILL")
    assert runs.attempts(system.validators, [id_]) == {1, 2, 3, 4, 5}
    are_flat(system.validators, before)
    await system.check()


async def test_f29_floods_that_want_all_memory_and_all_time(tmp_path: Path) -> None:
    """Fifty megabytes of XML each: one is refused for it, one goes over its limit of time.

    On the laptop only: the child knows no engine. What no master makes an honest child do, to take
    memory or talk without end, is in tests/unit/validator/test_sandbox.py.
    """
    block = "<audioBlockFormat><cartesian>1</cartesian></audioBlockFormat>"
    names = "".join(f"<n{number}/>" for number in range(FLOOD_BYTES // 12))
    floods = {
        "axml_malformed": flood(names, tmp_path),
        "validator_crash": flood(block * (FLOOD_BYTES // len(block)), tmp_path),
    }
    with running_system(tmp_path, LAPTOP, role_settings=TIGHT) as system:
        before = {each.name: each.rss_bytes() for each in system.validators}
        async with system.client() as client:
            ids = {
                code: await client.bring(f"/f29-{code}.wav", body) for code, body in floods.items()
            }
            await client.all_completed(*(await good_ones(client, "f29-good")))
            await client.all_final(*ids.values())
            found = {code: await failure_of(client, id_) for code, id_ in ids.items()}
            assert {code: failure["code"] for code, failure in found.items()} == {
                code: code for code in floods
            }
            assert found["validator_crash"]["measured"] in OUT_OF_TIME
            assert runs.attempts(system.validators, [ids["validator_crash"]]) == {1, ATTEMPTS}
        are_flat(system.validators, before)
        await system.check()


def flood(text: str, folder: Path) -> bytes:
    """A master with this much of XML in the first channel of its axml."""
    wave = master(Spec(objects=1, seconds=0.1))
    head, end, tail = wave.chunks["axml"].decode().partition("</audioChannelFormat>")
    path = folder / "flood.wav"
    wave.with_chunk("axml", f"{head}{text}{end}{tail}".encode()).write(path)
    return path.read_bytes()


def are_flat(workers: list[Process], before: dict[str, int]) -> None:
    """Insist that workers have not taken much more memory since."""
    grown = {each.name: each.rss_bytes() - before[each.name] for each in workers}
    assert max(grown.values()) < 48 * MEBIBYTE, grown
