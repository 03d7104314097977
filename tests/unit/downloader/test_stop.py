"""Stopping: at once, from anywhere, and with nothing left."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from shared.origin.stop import Stop, Stopped, run_stoppable

if TYPE_CHECKING:
    from collections.abc import Callable

FLAG: contextvars.ContextVar[str] = contextvars.ContextVar("FLAG", default="unset")


async def test_the_result_comes_out() -> None:
    FLAG.set("set")
    assert await run_stoppable(lambda _: (FLAG.get(), threading.current_thread().name)) == (
        "set",
        "download",
    )


async def test_errors_come_out() -> None:
    def work(_: Stop) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await run_stoppable(work)


def _wait(stop: Stop) -> None:
    stop.wait(30)


def _receive(stop: Stop) -> None:
    mine, theirs = socket.socketpair()
    with mine, theirs, stop.closing(mine):
        assert mine.recv(1) == b""
        stop.check()


def _condition(stop: Stop) -> None:
    changed = threading.Condition()

    def wake() -> None:
        with changed:
            changed.notify_all()

    with stop.waking(wake), changed:
        changed.wait_for(lambda: stop.is_set, 30)
    stop.check()


@pytest.mark.parametrize("block", [_wait, _receive, _condition])
async def test_a_cancel_ends_what_blocks(block: Callable[[Stop], None]) -> None:
    begun = threading.Event()
    ended: list[BaseException] = []

    def work(stop: Stop) -> None:
        begun.set()
        try:
            block(stop)
        except Stopped as error:
            ended.append(error)
            raise

    task = asyncio.create_task(run_stoppable(work))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 2)
    assert len(ended) == 1


async def test_a_cancelled_caller_waits_for_the_thread_however_often() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(_: Stop) -> str:
        begun.set()
        go_on.wait(10)
        return "done"

    task = asyncio.create_task(run_stoppable(work))
    await asyncio.to_thread(begun.wait, 5)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.02)
        assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_what_comes_after_the_stop_does_not_begin() -> None:
    stop = Stop()
    woken: list[int] = []
    with stop.waking(lambda: woken.append(1)):
        stop.stop()
    assert (woken, stop.is_set) == ([1], True)
    with pytest.raises(Stopped), stop.waking(lambda: None):
        pytest.fail("entered")
    with pytest.raises(Stopped):
        stop.wait(30)
    with pytest.raises(Stopped):
        stop.check()


def test_a_socket_that_was_left_alone_is_not_touched() -> None:
    stop = Stop()
    mine, theirs = socket.socketpair()
    with mine, theirs:
        with stop.closing(mine):
            pass
        stop.stop()
        theirs.sendall(b"x")
        assert mine.recv(1) == b"x"
