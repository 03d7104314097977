"""How the command talks to a server: orders, request ids, TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import trustme
from grpc import StatusCode, aio

from services.api.grpc.server import serve
from services.api.grpc.tls import Tls
from stagedoor.v1.import_task_service_pb2 import (
    CreateImportTaskRequest,
    ImportTask,
    RetryImportTaskRequest,
)
from stagedoor.v1.track_service_pb2 import CreateTrackRequest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.core import Core
    from tests.unit.cli.conftest import Stagedoor

URL = "https://cdn.example.com/master.wav"
ID = "01890a5d-ac96-774b-bcce-b302099a8057"
NAME = f"importTasks/{ID}"


class Losing(aio.ServerInterceptor):
    """Takes requests, answers with a name, and loses its first answer to each method."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Any]] = {}

    async def intercept_service(self, _: Any, details: Any) -> Any:
        method = details.method.rpartition("/")[2]
        types: dict[str, Any] = {
            "CreateImportTask": CreateImportTaskRequest,
            "RetryImportTask": RetryImportTaskRequest,
            "CreateTrack": CreateTrackRequest,
        }

        async def behave(request: Any, context: Any) -> ImportTask:
            self.seen.setdefault(method, []).append(request)
            if len(self.seen[method]) == 1:
                await context.abort(StatusCode.UNAVAILABLE)
            return ImportTask(name=NAME)

        return grpc.unary_unary_rpc_method_handler(
            behave, types[method].FromString, ImportTask.SerializeToString
        )


async def test_tasks_are_listed_in_another_order(stagedoor: Stagedoor, core: Core) -> None:
    tasks = [await core.task(f"USRC1234567{n}") for n in range(2)]
    result = await stagedoor("tasks", "list", "--order-by", "create_time desc")
    assert [line.split()[0] for line in result.out[1:]] == [str(t.id) for t in reversed(tasks)]
    wrong = await stagedoor("tasks", "list", "--order-by", "isrc")
    assert (wrong.code, wrong.out, len(wrong.err)) == (1, [], 1)
    assert wrong.err[0].startswith("error: INVALID_QUERY: ")


async def test_what_is_sent_again_is_the_same_request(alone: Stagedoor) -> None:
    losing = Losing()
    server = aio.server(interceptors=[losing])
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    environ = {"STAGEDOOR_SERVER": address, "STAGEDOOR_TOKEN": "x"}
    wanted = ("import", URL, "--isrc", "USRC12345678", "--track", ID)
    for command in (wanted, ("tasks", "retry", ID), ("tracks", "create", "A track")):
        assert (await alone(*command, **environ)).code == 0
    await server.stop(grace=0)
    assert losing.seen.keys() == {"CreateImportTask", "RetryImportTask", "CreateTrack"}
    for first, second in losing.seen.values():
        assert first == second
        assert first.request_id
    assert len({first.request_id for first, _ in losing.seen.values()}) == 3


async def test_a_server_with_tls_is_trusted_by_its_authority(
    alone: Stagedoor, core: Core, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    tls = Tls(cert_file=tmp_path / "cert.pem", key_file=tmp_path / "key.pem")
    server = await serve(core.use_cases, "127.0.0.1:0", tls=tls)
    environ = {
        "STAGEDOOR_SERVER": f"https://127.0.0.1:{server.port}",
        "STAGEDOOR_TOKEN": await core.use_cases.tokens.issue("default", "test", ["admin"]),
    }
    roots = str(tmp_path / "ca.pem")
    trusting = await alone("tasks", "list", **environ, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=roots)
    doubting = await alone("tasks", "list", **environ)
    await server.stop(grace=0)
    assert (trusting.code, trusting.err) == (0, [])
    assert doubting.code == 1
    assert any(line.startswith("error: UNAVAILABLE: ") for line in doubting.err)
