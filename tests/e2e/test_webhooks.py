"""What happens to an import is told: webhooks over real TLS, mail to a real server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks import Webhook

from cli.demo.master import Spec, write_master
from shared.bus import streams, subjects
from shared.bus.roles import Role
from tests.support import replies
from tests.support.mailbox import PASSWORD, USER, running_mailbox
from tests.support.nats_client import connected
from tests.support.origin import Gate
from tests.support.receiver import running_receiver, trusting
from tests.support.stack import Client, Stack, running_stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.support.mailbox import Mailbox
    from tests.support.receiver import Received, Receiver

pytestmark = pytest.mark.long
SECONDS = 60.0
LIFE = ["pending", "downloading", "downloaded", "validating", "completed"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who is told by webhook."""
    with running_receiver() as running:
        yield running


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """Somebody who is told by mail."""
    async with running_mailbox() as running:
        yield running


@pytest.fixture
def stack(receiver: Receiver, mailbox: Mailbox, tmp_path: Path) -> Iterator[Stack]:
    """The product, which may send to both."""
    word = PASSWORD.replace("/", "%2F").replace("@", "%40").replace(" ", "%20")
    settings = {
        "STAGEDOOR_SMTP_URL": f"smtp://{USER}:{word.replace(':', '%3A')}@127.0.0.1:{mailbox.port}",
        "STAGEDOOR_MAIL_FROM": "doors@example.com",
    }
    with running_stack(tmp_path, trusting(receiver, tmp_path) | settings) as running:
        yield running


async def subscribe(client: Client, target: str, *types: str) -> Any:
    """A new subscription, as it is answered."""
    attributes = {"target": target, "eventTypes": types}
    document = {"data": {"type": "subscriptions", "attributes": attributes}}
    status, created = await client.call("POST", "/subscriptions", document)
    assert status == 201, created
    return created["data"]


async def deliveries(client: Client, subscription: Any) -> list[Any]:
    """The attributes of all of a subscription's deliveries, oldest first."""
    path = f"/subscriptions/{subscription['id']}/deliveries?sort=createdAt&page[size]=100"
    status, page = await client.call("GET", path)
    assert status == 200, page
    return [each["attributes"] for each in page["data"]]


async def until(
    client: Client, subscription: Any, count: int, is_so: Callable[[Any], bool]
) -> list[Any]:
    """Wait until there are so many deliveries and this is so of each."""
    async with asyncio.timeout(SECONDS):
        while True:
            found = await deliveries(client, subscription)
            if len(found) >= count and all(map(is_so, found)):
                return found
            await asyncio.sleep(0.1)  # there is no event to await


def was_tried(delivery: Any) -> bool:
    return bool(delivery["attempts"])


def has_arrived(delivery: Any) -> bool:
    return bool(delivery["state"] == "succeeded")


@asynccontextmanager
async def broker(stack: Stack) -> AsyncIterator[Any]:
    """A client of the stack's NATS, as its API is."""
    async with connected(stack.ready["nats"], inbox_prefix=Role.API.inbox) as client:
        yield client.jetstream()


async def events(stack: Stack) -> dict[str, str]:
    """The status that each event on NATS tells of, by the event's id, in their order."""
    async with broker(stack) as js:
        count = (await js.stream_info(streams.EVENTS)).state.messages
        reading = await js.subscribe(subjects.ALL_EVENTS, stream=streams.EVENTS)
        told = [await reading.next_msg(timeout=SECONDS) for _ in range(count)]
    return {each.headers["ce-id"]: each.subject.rpartition(".")[2] for each in told}


def opened(request: Received, secret: str) -> Any:
    """What a webhook says; raises WebhookVerificationError for a bad signature."""
    return Webhook(secret).verify(request.body, request.headers)


def master(folder: Path) -> bytes:
    write_master(folder / "m.wav", Spec(seconds=2))
    return (folder / "m.wav").read_bytes()


async def test_the_api_killed_between_them_loses_no_webhook(
    stack: Stack, receiver: Receiver, tmp_path: Path
) -> None:
    body, gate = master(tmp_path), Gate()
    url = stack.origin.serve("/m.wav", replies.file(body, gate=gate, gate_at=len(body) // 2))
    receiver.answers = [(500, {})]
    async with Client(stack.ready) as client:
        subscription = await subscribe(client, receiver.url("/hook?key=k"))
        task_id = await client.start(url, "USRC27000001")
        await gate.reached()
        tried = await until(client, subscription, 2, was_tried)
        assert {each["state"] for each in tried} == {"pending", "succeeded"}
        stack.kill("api")
        gate.open()
        await client.until(task_id)
        told = await until(client, subscription, len(LIFE), has_arrived)
    published = await events(stack)
    assert list(dict.fromkeys(published.values())) == LIFE
    assert {each["eventId"] for each in told} == published.keys()
    assert sum(each["attempts"] for each in told) == len(receiver.requests) > len(told)
    _are_signed(receiver.requests, subscription["meta"]["secret"], published)
    log = stack.ready_file.with_name("log").read_text()
    assert [word for word in ("whsec_", "key=k") if word in log] == []


def _are_signed(requests: list[Received], secret: str, published: dict[str, str]) -> None:
    """Each is what it says it is, and one of the events on NATS."""
    assert {each.headers["webhook-id"] for each in requests} == published.keys()
    for request in requests:
        assert request.path == "/hook?key=k"
        said, status = opened(request, secret), published[request.headers["webhook-id"]]
        assert said["type"] == f"stagedoor.import_task.{status}"
        assert said["data"]["importTask"]["state"] == f"STATE_{status.upper()}"


async def test_a_mail_arrives(stack: Stack, mailbox: Mailbox, tmp_path: Path) -> None:
    url = stack.origin.serve("/mail.wav", replies.file(master(tmp_path)))
    async with Client(stack.ready) as client:
        kind = "stagedoor.import_task.completed"
        subscription = await subscribe(client, "mailto:me@example.com", kind)
        task = await client.finish(url, "USRC27000002")
        [told] = await until(client, subscription, 1, has_arrived)
    [message] = mailbox.messages()
    assert (message["To"], message["From"]) == ("me@example.com", "doors@example.com")
    assert told["eventId"] in message["Message-ID"]
    assert told["eventType"] == kind
    assert task["id"] in message.get_content()
