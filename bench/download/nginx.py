"""nginx as the origin, where it is installed: it leaves more of the machine to the clients."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_START_SECONDS = 20
# One process in the foreground, as whoever runs it; everything that it writes is in its state.
_CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid {state}/pid; error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off; tcp_nodelay on; keepalive_requests 1000000; default_type audio/wav;
    client_body_temp_path {state}/body; proxy_temp_path {state}/proxy;
    fastcgi_temp_path {state}/fastcgi; uwsgi_temp_path {state}/uwsgi; scgi_temp_path {state}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl backlog=128;
        ssl_certificate {state}/server.pem; ssl_certificate_key {state}/server.pem;
        ssl_protocols TLSv1.3; root {served};
    }}
}}
"""


def found() -> str | None:
    """Return where the program is, also where only root's path leads; None if nowhere."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def serving(program: str, served: Path, state: Path) -> Iterator[int]:
    """Serve a folder over TLS 1.3; gives the port. Writes ``ca.pem`` into ``state``, an own folder.

    Raises RuntimeError if it does not start.
    """
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(str(state / "ca.pem"))
    certificate.private_key_and_cert_chain_pem.write_to_path(str(state / "server.pem"))
    port = _free_port()
    configuration = state / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(state=state, port=port, served=served))
    process = subprocess.Popen([program, "-p", state, "-c", configuration])  # noqa: S603 - found on this machine
    try:
        _wait_for(process, port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("nginx did not start")
