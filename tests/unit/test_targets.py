"""Where events may be sent."""

from __future__ import annotations

import pytest

from services.api.use_cases.targets import TargetRefused, Targets

TARGETS = Targets(mail=True)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("HTTPS://Example.COM", "https://example.com/"),
        ("https://example.com:443/a?token=b", "https://example.com/a?token=b"),
        ("mailto:Ops.Team+x@Example.COM", "mailto:Ops.Team+x@example.com"),
        ("mailto:a@bücher.example", "mailto:a@xn--bcher-kva.example"),
    ],
)
def test_one_spelling_is_kept(text: str, kept: str) -> None:
    assert TARGETS.canonical(text) == kept


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("http://example.com/", "not_https"),
        ("https://127.0.0.1/", "address_refused"),
        ("https://169.254.169.254/", "address_refused"),
        ("https://localhost/", "address_refused"),
        ("https://example.com:22/", "port_refused"),
        ("ftp://example.com/", "not_https"),
        ("", "invalid"),
        ("mailto:", "invalid"),
        ("mailto:a", "invalid"),
        ("mailto:@example.com", "invalid"),
        ("mailto:a@", "invalid"),
        ("mailto:a@b@example.com", "invalid"),
        ("mailto:a@example.com?bcc=b@example.com", "invalid"),
        ("mailto:a%0Ab@example.com", "invalid"),
        ("mailto:a\nBcc:b@example.com", "invalid"),
        ("mailto:a,b@example.com", "invalid"),
        ("mailto:a..b@example.com", "invalid"),
        ("mailto:a@[127.0.0.1]", "invalid"),
        ("mailto:a@127.0.0.1", "invalid"),
        (f"mailto:{'a' * 65}@example.com", "invalid"),
    ],
)
def test_what_is_not_sent_to_is_refused(text: str, code: str) -> None:
    with pytest.raises(TargetRefused) as refused:
        TARGETS.canonical(text)
    assert refused.value.code == code


def test_without_a_server_there_is_no_mail() -> None:
    with pytest.raises(TargetRefused) as refused:
        Targets().canonical("mailto:a@example.com")
    assert refused.value.code == "mail_unavailable"
