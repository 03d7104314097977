"""A server of somebody else's that a test runs, and may stop, kill and freeze."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import subprocess

STOP_SECONDS = 10.0


class Server:
    """Who inherits starts it, into ``_process``; every ending reaps it, so it may start again."""

    # What makes it stop in order.
    _stopping: ClassVar[signal.Signals] = signal.SIGTERM
    _process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running server."""
        assert self._process is not None
        return self._process

    @property
    def runs(self) -> bool:
        """Whether it was started and not stopped or killed since."""
        return self._process is not None

    def stop(self) -> None:
        """Stop it in order."""
        if self._process is not None:
            self._process.send_signal(self._stopping)
            try:
                self._process.wait(STOP_SECONDS)
            finally:
                self.kill()

    def kill(self) -> None:
        """Kill it as a crash would, and reap it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Make it hang without dying."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)
