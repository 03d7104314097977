"""Mail through a real server, with TLS and a password."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from services.api.domain.subscriptions import (
    DeliveryState,
    Event,
    Outcome,
    Outgoing,
    event_body,
)
from services.api.notify.mail import MailSender
from services.api.notify.senders import Senders
from services.api.use_cases.deliveries import deliver_once
from shared.origin.tls import tls_context
from tests.support.mailbox import running_mailbox
from tests.support.notifying import LOCAL, notifying
from tests.support.origin import shared_authority
from tests.support.receiver import authority_file

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.mailbox import Mailbox

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DATA = {"importTask": {"name": "importTasks/1", "problems": [{"code": "x"}, {"code": "y"}]}}


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with running_mailbox() as running:
        yield running


def trusting() -> ssl.SSLContext:
    context = tls_context()
    shared_authority().configure_trust(context)
    return context


def outgoing(target: str = "mailto:ops@example.com") -> Outgoing:
    type_ = "stagedoor.import_task.completed"
    return Outgoing(
        id=uuid4(),
        taken_until=NOW,
        subscription_id=None,
        target=target,
        event_id=uuid4(),
        event_type=type_,
        body=event_body(type_, NOW, DATA),
        attempts=0,
        asked=False,
        secrets=None,
    )


async def test_an_event_is_a_message(sqlite_url: str, mailbox: Mailbox, tmp_path: Path) -> None:
    senders = Senders.build(LOCAL, mailbox.server(), authority_file(tmp_path))
    async with notifying(sqlite_url, senders, mail=True) as mails:
        subscription = (await mails.subscribe("mailto:Ops@Example.COM")).subscription
        task = await mails.core.task()
        await mails.send()
        delivery = await mails.delivery(subscription)
        assert delivery.state is DeliveryState.SUCCEEDED
        (envelope,), (message,) = mailbox.envelopes, mailbox.messages()
        assert (envelope.mail_from, envelope.rcpt_tos) == ("doors@example.com", ["Ops@example.com"])
        assert message["Subject"] == "Stagedoor: import_task.pending"
        assert message["Message-ID"] == f"<{delivery.event_id}@example.com>"
        text = message.get_content()
        assert f"name: importTasks/{task.id}" in text
        assert "cdn.example.com" not in text


async def test_a_message_says_what_happened(mailbox: Mailbox) -> None:
    sent = outgoing()
    assert await MailSender(mailbox.server(), trusting()).send(sent) == Outcome()
    (message,) = mailbox.messages()
    assert message.get_content().splitlines() == [
        "event: stagedoor.import_task.completed",
        f"id: {sent.event_id}",
        "time: 2026-01-01T00:00:00+00:00",
        "importTask:",
        "  name: importTasks/1",
        "  problems:",
        "    code: x",
        "  problems:",
        "    code: y",
    ]


async def test_tls_from_the_start() -> None:
    async with running_mailbox(tls_at_once=True) as mailbox:
        sender = MailSender(mailbox.server(scheme="smtps"), trusting())
        assert await sender.send(outgoing()) == Outcome()
        assert len(mailbox.envelopes) == 1


@pytest.mark.parametrize("at", ["RCPT", "DATA"])
@pytest.mark.parametrize(
    ("says", "outcome"),
    [
        ("451 Later", Outcome(error="mail_deferred", status=451)),
        ("550 Never", Outcome(error="mail_refused", status=550, permanent=True)),
    ],
)
async def test_the_reply_decides(mailbox: Mailbox, at: str, says: str, outcome: Outcome) -> None:
    mailbox.at, mailbox.says = at, says
    assert await MailSender(mailbox.server(), trusting()).send(outgoing()) == outcome


async def test_a_wrong_password_is_not_the_receivers_fault(mailbox: Mailbox) -> None:
    sender = MailSender(mailbox.server("wrong"), trusting())
    outcome = await sender.send(outgoing())
    assert (outcome.error, outcome.permanent) == ("mail_unavailable", False)


async def test_a_server_that_proves_nothing_gets_no_password(mailbox: Mailbox) -> None:
    outcome = await MailSender(mailbox.server(), tls_context()).send(outgoing())
    assert (outcome, mailbox.envelopes) == (Outcome(error="mail_unavailable"), [])


async def test_a_server_that_is_away_is_waited_for() -> None:
    async with running_mailbox() as mailbox:
        server = mailbox.server()
    assert await MailSender(server, trusting()).send(outgoing()) == Outcome(
        error="mail_unavailable"
    )


async def test_without_a_server_mail_waits() -> None:
    senders = Senders.build(LOCAL, None, None)
    assert await senders.send(outgoing()) == Outcome(error="mail_unavailable")


async def test_no_address_breaks_out_of_its_field(mailbox: Mailbox) -> None:
    sender = MailSender(mailbox.server(), trusting())
    with pytest.raises(ValueError, match=r"linefeed|newline|CR|LF"):
        await sender.send(outgoing("mailto:a@example.com\r\nBcc: b@example.com"))
    assert mailbox.envelopes == []


async def test_a_mail_address_may_be_for_one_event(
    sqlite_url: str, mailbox: Mailbox, tmp_path: Path
) -> None:
    senders = Senders.build(LOCAL, mailbox.server(), authority_file(tmp_path))
    async with notifying(sqlite_url, senders, mail=True) as mails:
        use_cases = mails.core.use_cases
        target = use_cases.subscriptions.targets.require("email", "mailto:a@EXAMPLE.com")
        sent = outgoing()
        event = Event(id=sent.event_id, type=sent.event_type, body=sent.body)
        await use_cases.executor.write(lambda t: deliver_once(t, "default", target, event))
        await mails.send()
        assert [m["To"] for m in mailbox.messages()] == ["a@example.com"]
