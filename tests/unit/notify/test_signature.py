"""What is signed verifies with the reference library, and with nothing else."""

from __future__ import annotations

import base64
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.api.notify.signature import sign

BODY = '{"type":"stagedoor.ping","title":"Für Elise"}'.encode()
KEY, OTHER = b"k" * 32, b"o" * 32


def headers(*secrets: bytes, body: bytes = BODY) -> dict[str, str]:
    now = int(time.time())
    return {
        "webhook-id": "id",
        "webhook-timestamp": str(now),
        "webhook-signature": sign(secrets, "id", now, body),
    }


def receiver(key: bytes) -> Webhook:
    return Webhook("whsec_" + base64.b64encode(key).decode())


def test_a_signature_verifies() -> None:
    receiver(KEY).verify(BODY, headers(KEY))


def test_while_a_secret_is_rotated_both_verify() -> None:
    receiver(KEY).verify(BODY, headers(OTHER, KEY))
    receiver(OTHER).verify(BODY, headers(OTHER, KEY))


@pytest.mark.parametrize("signed", [headers(OTHER), headers(KEY, body=BODY + b" ")])
def test_another_secret_or_body_does_not(signed: dict[str, str]) -> None:
    with pytest.raises(WebhookVerificationError):
        receiver(KEY).verify(BODY, signed)
