"""Whether the API still takes a token of an earlier start."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from http import HTTPStatus

from cli.stack.child import StartError

ANSWER_SECONDS = 10


def is_accepted(http: str, token: str) -> bool:
    """Ask our own child at its address; raises StartError when it does not answer."""
    request = urllib.request.Request(  # noqa: S310 - our own child, over http or https
        f"{http}/api/v1/tracks?page%5Bsize%5D=1", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        urllib.request.urlopen(request, timeout=ANSWER_SECONDS, context=_any_certificate()).close()  # noqa: S310
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code != HTTPStatus.UNAUTHORIZED
    except OSError as error:
        raise StartError(f"the API does not answer at {http}: {error}") from None
    return True


def _any_certificate() -> ssl.SSLContext:
    # Its certificate is for the name that the world knows, maybe of an authority of one's own.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
