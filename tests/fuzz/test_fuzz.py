"""Whatever arrives at either door, the server answers it and stays as it was."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING

import grpc
import pytest

from tests.fuzz.fuzzing import Fuzzing
from tests.fuzz.grpc_calls import call, converse
from tests.fuzz.grpc_strategies import bad_frames, bad_requests, metadata
from tests.fuzz.http_calls import exchange
from tests.fuzz.http_strategies import (
    SESSIONS,
    World,
    bad_bytes,
    bad_documents,
    bad_targets,
    make_world,
)
from tests.fuzz.server import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import MethodDescriptor

    from tests.fuzz.grpc_strategies import Metadata

pytestmark = pytest.mark.timeout(1800)

SAME_SEED = 20261122
FEW_CALLS = 1000
MOMENT_SECONDS = 0.05


@pytest.fixture(scope="module")
def fuzzing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzing]:
    """As many calls as STAGEDOOR_FUZZ_CALLS says, from STAGEDOOR_FUZZ_SEED.

    Without either the calls are few and always the same: a change must not fail by chance. Whoever
    asks for more calls without a seed gets new ones.
    """
    wanted, chosen = os.environ.get("STAGEDOOR_FUZZ_CALLS"), os.environ.get("STAGEDOOR_FUZZ_SEED")
    calls = int(wanted or FEW_CALLS)
    seed = int(chosen or (secrets.randbits(32) if wanted else SAME_SEED))
    with running_server(tmp_path_factory.mktemp("fuzz")) as server:
        fuzzing = Fuzzing(server, calls, seed)
        yield fuzzing
    # Of an error that nobody awaited Python tells late, at the latest now.
    fuzzing.check_log()


@pytest.fixture(scope="module")
def world(fuzzing: Fuzzing) -> World:
    """A track and a task to try things on."""
    return make_world(fuzzing.server)


def test_bad_documents_are_refused_as_their_facade_says(fuzzing: Fuzzing, world: World) -> None:
    def send(raw: bytes) -> None:
        answer = exchange(fuzzing.server.http, raw)
        assert answer is not None, "no answer"
        assert answer.status < 500, answer.body
        if answer.status >= 400 and raw.split(b" ")[1].startswith(SESSIONS.encode()):
            assert json.loads(answer.body).keys() == {"ok", "message", "api_request_id"}
        elif answer.status >= 400:
            assert all(error["status"].startswith("4") for error in answer.errors())

    fuzzing.run(30, send, raw=bad_documents(world))


def test_bad_targets_and_headers_are_answered(fuzzing: Fuzzing, world: World) -> None:
    def send(raw: bytes) -> None:
        answer = exchange(fuzzing.server.http, raw)
        assert answer is not None, "no answer"
        assert answer.status < 500, answer.body

    fuzzing.run(20, send, raw=bad_targets(world))


def test_bad_bytes_break_nothing(fuzzing: Fuzzing, world: World) -> None:
    def send(raw: bytes) -> None:
        # The end of what is damaged may never come, so there may be nothing to wait for.
        answer = exchange(fuzzing.server.http, raw, MOMENT_SECONDS)
        assert answer is None or answer.status < 500

    fuzzing.run(20, send, raw=bad_bytes(world))


def test_bad_frames_break_nothing(fuzzing: Fuzzing) -> None:
    def send(raw: bytes) -> None:
        converse(fuzzing.server.grpc, raw, MOMENT_SECONDS)

    fuzzing.run(5, send, raw=bad_frames())


def test_bad_calls_are_refused_with_a_code_that_says_why(fuzzing: Fuzzing, world: World) -> None:
    faults = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE}
    with grpc.insecure_channel(f"127.0.0.1:{fuzzing.server.grpc}") as channel:

        def send(request: tuple[MethodDescriptor, bytes], metadata: Metadata) -> None:
            method, raw = request
            assert call(channel, method, raw, metadata) not in faults, method.full_name

        drawn = {"request": bad_requests(world), "metadata": metadata(world.token)}
        fuzzing.run(25, send, **drawn)
