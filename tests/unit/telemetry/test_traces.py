"""Traces leave the process only when somebody says where to."""

from __future__ import annotations

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from shared.telemetry.traces import ENDPOINTS, configure_traces

PROGRAM = """
import os, sys
from opentelemetry import trace
from shared.telemetry.traces import configure_traces
end = configure_traces("api")
trace.get_tracer("test").start_span("something").end()
assert (end is None) == (len(sys.argv) > 1)
assert end is not None or "opentelemetry.sdk.trace.export" not in sys.modules
end and end()
"""


class Collector(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    seen: list[tuple[str, bytes]] = []  # noqa: RUF012 - the class is the one place that both sides know

    def do_POST(self) -> None:
        """Take spans."""
        length = int(self.headers["Content-Length"])
        self.seen.append((self.path, self.rfile.read(length)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_without_an_endpoint_nothing_is_loaded() -> None:
    assert configure_traces("api", {}) is None
    subprocess.run([sys.executable, "-c", PROGRAM, "nowhere"], check=True, env={}, timeout=30)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_spans_are_sent_to_the_endpoint(name: str) -> None:
    Collector.seen.clear()
    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=server.serve_forever)
    thread.start()
    suffix = "/v1/traces" if "TRACES" in name else ""
    environ = {name: f"http://127.0.0.1:{server.server_port}{suffix}"}
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, env=environ, timeout=30)
    server.shutdown()
    thread.join()
    server.server_close()
    [(path, body)] = Collector.seen
    assert path == "/v1/traces"
    assert b"something" in body
    assert b"stagedoor-api" in body
