"""Webhooks over real TLS: signed, guarded, and judged by nothing but the answer's head."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import trustme
from standardwebhooks import Webhook, WebhookVerificationError

from services.api.domain.subscriptions import Outcome, Outgoing
from services.api.notify.senders import Senders
from services.api.notify.webhook import MAX_BODY_BYTES, WebhookSender
from shared.origin import OriginPolicy
from shared.origin.guard import AddressGuard
from shared.origin.tls import tls_context
from tests.support.addresses import Canary
from tests.support.notifying import LOCAL, WHO
from tests.support.origin import HOST_NAMES, serving, shared_authority
from tests.support.receiver import running_receiver

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from tests.support.notifying import Notifying
    from tests.support.receiver import Receiver

KEY = b"k" * 32
DONE = Outcome(status=204)


def outgoing(target: str, *secrets: bytes) -> Outgoing:
    return Outgoing(
        id=uuid4(),
        taken_until=datetime.now(UTC),
        subscription_id=uuid4(),
        target=target,
        event_id=uuid4(),
        event_type="stagedoor.ping",
        body=b'{"type":"stagedoor.ping"}',
        attempts=0,
        asked=False,
        secrets=secrets or (KEY,),
    )


def trusting() -> ssl.SSLContext:
    context = tls_context()
    shared_authority().configure_trust(context)
    return context


def a_sender(
    resolve: Callable[[str], list[str]] | None = None,
    policy: OriginPolicy = LOCAL,
    seconds: float = 15.0,
) -> WebhookSender:
    guard = AddressGuard(policy, resolve=resolve) if resolve else AddressGuard(policy)
    return WebhookSender(guard, trusting(), seconds)


@contextmanager
def saying(data: bytes, *, tls: bool = True) -> Iterator[str]:
    """A server that says this to whoever connects, and hangs up."""
    context = serving(shared_authority().issue_cert(*HOST_NAMES))
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connected, _ = listening.accept()
        with suppress(OSError), connected:  # it may be hung up on in the middle
            if not tls:
                connected.sendall(data)
                return
            with context.wrap_socket(connected, server_side=True) as wrapped:
                wrapped.recv(4096)
                wrapped.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        thread.join()
        listening.close()


async def test_what_a_receiver_gets_verifies(hooks: Notifying, receiver: Receiver) -> None:
    created = await hooks.subscribe(receiver.url("/hook?token=a"))
    task = await hooks.core.task()
    await hooks.send()
    (got,) = receiver.requests
    told = Webhook(created.secret).verify(got.body, got.headers)
    assert got.path == "/hook?token=a"
    assert (got.headers["content-type"], told["type"]) == (
        "application/json",
        "stagedoor.import_task.pending",
    )
    assert told["data"]["importTask"]["name"] == f"importTasks/{task.id}"
    assert b"cdn.example.com" not in got.body  # the URL of a master may be a signed one
    assert {"cookie", "authorization", "origin"}.isdisjoint(got.headers)
    delivery = await hooks.delivery(created.subscription)
    assert (str(delivery.event_id), delivery.state) == (got.headers["webhook-id"], "succeeded")
    with pytest.raises(WebhookVerificationError):
        Webhook(created.secret).verify(got.body + b" ", got.headers)


async def test_both_secrets_verify_while_one_is_rotated(
    hooks: Notifying, receiver: Receiver
) -> None:
    older = await hooks.subscribe(receiver.url())
    newer = await hooks.core.use_cases.subscriptions.rotate_secret(WHO, older.subscription.id)
    await hooks.ping(older.subscription)
    await hooks.send()
    (got,) = receiver.requests
    for created in (older, newer):
        told = Webhook(created.secret).verify(got.body, got.headers)
        assert told["data"] == {"subscription": f"subscriptions/{older.subscription.id}"}


async def test_a_receiver_for_one_event_gets_it_unsigned(receiver: Receiver) -> None:
    once = replace(outgoing(receiver.url()), secrets=None)
    assert await a_sender().send(once) == DONE
    assert "webhook-signature" not in receiver.requests[0].headers


async def test_without_the_key_that_sealed_its_secret_nothing_is_sent(receiver: Receiver) -> None:
    sealed = replace(outgoing(receiver.url()), secrets=())
    assert await a_sender().send(sealed) == Outcome(error="secret_unreadable")
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome(status=200)),
        (299, Outcome(status=299)),
        (404, Outcome(error="bad_status", status=404)),
        (500, Outcome(error="bad_status", status=500)),
        (410, Outcome(error="gone", status=410, gone=True)),
    ],
)
async def test_the_status_decides(receiver: Receiver, status: int, outcome: Outcome) -> None:
    receiver.answers.append((status, {}))
    assert await a_sender().send(outgoing(receiver.url())) == outcome


async def test_no_redirect_is_followed(receiver: Receiver) -> None:
    with running_receiver() as other:
        for status in (301, 302, 303, 307, 308):
            receiver.answers.append((status, {"Location": other.url()}))
            outcome = await a_sender().send(outgoing(receiver.url()))
            assert outcome == Outcome(error="redirected", status=status)
        assert other.requests == []


async def test_a_receiver_that_asks_for_time_is_heard(receiver: Receiver) -> None:
    receiver.answers.append((503, {"Retry-After": "120"}))
    outcome = await a_sender().send(outgoing(receiver.url()))
    assert outcome.retry_after == timedelta(minutes=2)


async def test_an_answer_without_end_is_left(receiver: Receiver) -> None:
    receiver.endless = True
    assert await a_sender().send(outgoing(receiver.url())) == DONE
    # What was sent beyond that is what the buffers of two sockets hold.
    assert MAX_BODY_BYTES <= receiver.sent < 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"HTTP/1.1 200 OK\r\n", "connection_failed"),
        (b"", "connection_failed"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "invalid_response"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 40_000 + b"\r\n", "invalid_response"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 4000, "invalid_response"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Yes\r\n\r\n", None),
    ],
)
async def test_what_is_no_answer_is_a_failure(data: bytes, error: str | None) -> None:
    with saying(data) as url:
        outcome = await a_sender().send(outgoing(url))
    assert outcome.error == error


async def test_who_speaks_no_tls_is_told_nothing() -> None:
    with saying(b"HTTP/1.1 200 OK\r\n\r\n", tls=False) as url:
        assert (await a_sender().send(outgoing(url))).error == "tls_error"


async def test_who_proves_nothing_is_told_nothing() -> None:
    stranger = serving(trustme.CA().issue_cert(*HOST_NAMES))
    with running_receiver(stranger) as receiver:
        assert (await a_sender().send(outgoing(receiver.url()))).error == "tls_error"
        assert receiver.requests == []


async def test_a_receiver_that_says_nothing_is_left(receiver: Receiver) -> None:
    receiver.open.clear()
    assert (await a_sender(seconds=0.5).send(outgoing(receiver.url()))).error == "timeout"


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert (await a_sender().send(outgoing(f"https://127.0.0.1:{port}/"))).error == (
        "connection_failed"
    )


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
async def test_no_name_leads_to_a_refused_address(address: str) -> None:
    with Canary() as canary:
        sender = a_sender(lambda _: [address], OriginPolicy.from_settings("", "1-65535"))
        target = f"https://hooks.example.com:{canary.port}/"
        assert await sender.send(outgoing(target)) == Outcome(error="address_refused")
        assert (canary.is_silent, canary.dials) == (True, [])


async def test_a_policy_that_was_tightened_since_counts() -> None:
    with Canary() as canary:
        senders = Senders.build(OriginPolicy(), None, None)
        target = f"https://127.0.0.1:{canary.port}/"
        assert (await senders.send(outgoing(target))).error == "address_refused"
        assert canary.is_silent


async def test_a_proxy_of_the_environment_is_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Canary() as canary:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{canary.port}")
        assert await a_sender().send(outgoing(receiver.url())) == DONE
        assert canary.is_silent
