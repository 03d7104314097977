"""An import that comes in by any facade is the same at every door."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from cli.demo.master import Spec, write_master
from tests.support.every_door import COMPLETED, SECONDS, follow, told, until, visiting
from tests.support.origin import Gate
from tests.support.receiver import running_receiver, trusting
from tests.support.stack import running_stack
from tests.support.ways_in import WAYS, Guest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.every_door import Said
    from tests.support.receiver import Receiver
    from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Somebody who is told by webhook."""
    with running_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def stack(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The product, which may send to the receiver."""
    folder = tmp_path_factory.mktemp("stack")
    with running_stack(folder, trusting(receiver, folder)) as running:
        yield running


def agrees(seen: list[Said], truth: Said, life: tuple[str, ...]) -> None:
    """What a door said ends in the truth, and went there step by step; progress is no version."""
    assert seen[-1].items() <= truth.items()
    assert {each["id"] for each in seen} == {truth["id"]}
    versions = [int(str(each["version"])) for each in seen]
    assert versions == sorted(versions)
    statuses = [life.index(str(each["status"])) for each in seen]
    assert statuses == sorted(statuses)


@pytest.mark.parametrize("facade", WAYS)
async def test_every_door_agrees(
    facade: str, stack: Stack, receiver: Receiver, tmp_path: Path
) -> None:
    way, hook = WAYS[facade], f"/hook/{facade.replace(' ', '-')}"
    write_master(tmp_path / "m.wav", Spec(seconds=0.5))
    body = way.body or await asyncio.to_thread((tmp_path / "m.wav").read_bytes)
    async with visiting(stack) as visitor, asyncio.timeout(SECONDS):
        secret = await visitor.subscribed(receiver, hook)
        guest = Guest(visitor, receiver, body, Gate())
        says = await way.bring(guest)
        name = await visitor.newest()
        watching = [visitor.watched(name)]
        if not way.body:
            watching.append(visitor.streamed(name))
        followed = await follow(watching, guest.gate.open)
        truth = await visitor.truth(name)
        stored = await visitor.stored(name)

        async def is_all_told() -> bool:
            return told(receiver, hook, secret, name).keys() == stored.keys()

        await until(is_all_told)
        assert told(receiver, hook, secret, name) == stored
        if not way.body:
            assert (await visitor.shown(name)).items() <= truth.items()
        assert (await says()).items() <= truth.items()
    assert (truth["status"], truth["md5"]) == (COMPLETED, guest.md5)
    in_order = sorted(stored.values(), key=lambda said: int(str(said["version"])))
    assert tuple(dict.fromkeys(each["status"] for each in in_order)) == way.life
    for seen in (*followed, in_order):
        agrees(seen, truth, way.life)
