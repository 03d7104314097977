"""The mail server's URL."""

from __future__ import annotations

import pytest

from services.api.notify.server import MailServer

SENDER = "Stagedoor <doors@example.com>"


def test_a_submission_server() -> None:
    server = MailServer.parse("smtp://user%40a:p%3Ass@mail.example.com", SENDER)
    assert (server.host, server.port, server.tls_at_once) == ("mail.example.com", 587, False)
    assert (server.username, server.password, server.domain) == ("user@a", "p:ss", "example.com")
    assert "p:ss" not in repr(server)


def test_tls_at_once_and_a_port() -> None:
    server = MailServer.parse("smtps://mail.example.com:2465", "a@example.org")
    assert (server.port, server.tls_at_once, server.username) == (2465, True, None)


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("http://mail.example.com", SENDER),
        ("smtp://", SENDER),
        ("smtp://mail:0", SENDER),
        ("smtp://mail:port", SENDER),
        ("smtp://mail/folder", SENDER),
        ("smtp://mail", "nobody"),
        ("smtp://mail", "a@example.com\nBcc: b@example.com"),
    ],
)
def test_what_is_none_is_refused_without_telling_the_password(url: str, sender: str) -> None:
    with pytest.raises(ValueError, match=r"^(smtp_url|mail_from) is"):
        MailServer.parse(url, sender)
