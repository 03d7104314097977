"""A run of fuzz: how many calls, from which seed, and what must be so after each kind."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, Phase

from tests.fuzz.http_calls import exchange, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.server import Server

SHOWN = 5
GROWTH_BYTES = 64 << 20
"""How much memory all the calls together may cost."""


@dataclass(slots=True)
class Fuzzing:
    """A server and how hard it is tried.

    ``sent`` counts the calls, ``faults`` the lines of the log that were told of already.
    """

    server: Server
    calls: int
    seed: int
    before_bytes: int = field(init=False)
    sent: int = 0
    faults: int = 0

    def __post_init__(self) -> None:
        """Take the memory of a server that has answered once."""
        self.check_service()
        self.before_bytes = self.server.resident_bytes()

    def run(self, percent: int, body: Callable[..., None], **strategies: Any) -> None:
        """Call ``body`` with drawn values for its share of the calls; then look at the server."""
        examples = self.calls * percent // 100
        sys.stdout.write(f"STAGEDOOR_FUZZ_SEED={self.seed}, {examples} calls\n")
        already = self.sent
        settings = hypothesis.settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )

        def one_call(**drawn: Any) -> None:
            self.sent += 1
            body(**drawn)

        hypothesis.seed(self.seed)(settings(hypothesis.given(**strategies)(one_call)))()
        assert self.sent - already >= examples
        self.check()

    def check(self) -> None:
        """The server is none the worse."""
        assert self.server.process.poll() is None, "the server is gone"
        self.check_log()
        self.check_service()
        growth = self.server.resident_bytes() - self.before_bytes
        assert growth < GROWTH_BYTES
        sys.stdout.write(f"{self.sent} calls so far, {growth >> 20} MiB more memory\n")

    def check_log(self) -> None:
        """The log tells of nothing unexpected that it had not told of before."""
        faults = self.server.faults()
        new, self.faults = faults[self.faults :], len(faults)
        assert not new, f"{len(new)} faults in the log, such as:\n" + "\n".join(new[:SHOWN])

    def check_service(self) -> None:
        """A good request is served."""
        raw = request("GET", "/api/v1/tracks", self.server.token)
        answer = exchange(self.server.http, raw)
        assert answer is not None
        assert answer.status == 200
