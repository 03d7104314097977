"""Whether a token of an earlier start is still good is asked over HTTP, and over TLS too."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
import trustme

from cli.stack.acceptance import is_accepted
from cli.stack.child import StartError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Api(BaseHTTPRequestHandler):
    """Takes the token "good", fails for "fault", refuses all others."""

    def do_GET(self) -> None:
        token = self.headers["Authorization"]
        self.send_response({"Bearer good": 200, "Bearer fault": 503}.get(token, 401))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("token", "good"), [("good", True), ("bad", False), ("fault", True)])
def test_only_an_unauthorized_token_is_no_good(token: str, good: bool) -> None:  # noqa: FBT001 - a parameter of the test
    with serving() as port:
        assert is_accepted(f"http://127.0.0.1:{port}", token) is good


def test_a_certificate_for_another_name_of_an_authority_of_one_s_own_will_do() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("masters.example.com").configure_cert(context)
    with serving(context) as port:
        assert is_accepted(f"https://127.0.0.1:{port}", "good")
        assert not is_accepted(f"https://127.0.0.1:{port}", "bad")


def test_an_api_that_does_not_answer_is_an_error_of_the_start() -> None:
    with serving() as port:
        pass
    with pytest.raises(StartError, match="does not answer"):
        is_accepted(f"http://127.0.0.1:{port}", "good")
