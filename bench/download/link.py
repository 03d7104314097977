"""A long fat link: ``python -m bench.download.link PORT STATE``.

A TCP proxy in front of a port of 127.0.0.1. Each connection has a rate of its own towards the
client, and every byte arrives half a round trip after it was sent. Writes ``port`` into STATE.
"""

from __future__ import annotations

import argparse
import queue
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

_PIECE = 64 * 1024
_BACKLOG = 128


class Pipe:
    """One direction of a connection: reads at a rate (bytes per second, 0 for any), sends late."""

    def __init__(
        self, source: socket.socket, sink: socket.socket, rate: float, delay: float
    ) -> None:
        self._source, self._sink = source, sink
        self._rate, self._delay = rate, delay
        # What is on the way is bounded by the rate: only so much is read within the delay.
        self._line: queue.Queue[tuple[float, bytes]] = queue.Queue()

    def start(self) -> None:
        """Begin, in two threads that end with the connection."""
        for side in (self._take, self._give):
            threading.Thread(target=side, daemon=True).start()

    def _take(self) -> None:
        free = time.monotonic()
        data = b"begin"
        while data:
            data = b""
            with suppress(OSError):
                data = self._source.recv(_PIECE)
            now = time.monotonic()
            # The wire is busy with each piece for as long as it takes at this rate.
            free = max(free, now) + (len(data) / self._rate if self._rate else 0)
            self._line.put((free + self._delay, data))
            time.sleep(max(free - now, 0))

    def _give(self) -> None:
        with suppress(OSError):
            while True:
                due, data = self._line.get()
                time.sleep(max(due - time.monotonic(), 0))
                if not data:
                    break
                self._sink.sendall(data)
        for end in (self._sink, self._source):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR if end is self._source else socket.SHUT_WR)


def main() -> None:
    """Forward until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("state", type=Path)
    parser.add_argument("--rate", type=float, default=20e6, help="bytes per second and connection")
    parser.add_argument("--round-trip", type=float, default=0.08, help="seconds")
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listener:
        announced = options.state / "port.new"
        announced.write_text(str(listener.getsockname()[1]))
        announced.rename(options.state / "port")
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", options.port))
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            delay = options.round_trip / 2
            Pipe(near, far, 0.0, delay).start()
            Pipe(far, near, options.rate, delay).start()


if __name__ == "__main__":
    main()
