"""A master behind a secret: it is fetched with it, and the secret is found nowhere afterwards."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli.demo.master import Spec, write_master
from tests.support import replies
from tests.support.stack import Client, Stack, running_stack

if TYPE_CHECKING:
    from tests.support.origin import Exchange, Reply

WRONG, RIGHT = "Bearer wrong-2f1b8c7e", "Bearer right-94d0a6b3"
KEY = base64.b64encode(b"0123456789abcdef" * 2).decode()
PARTS = ("api", "downloader", "validator")


def guarded(reply: Reply, seen: list[str]) -> Reply:
    """Give the file to who shows the secret."""

    async def answer(exchange: Exchange) -> None:
        shown = exchange.request.headers.get("authorization", "")
        seen.append(shown)
        if shown != RIGHT:
            await exchange.head(401, Content_Length=0, WWW_Authenticate="Bearer")
            return
        await reply(exchange)

    return answer


def traces(folder: Path) -> list[Path]:
    """The files in which a secret, or its Base64, can be read."""
    secrets = [secret.removeprefix("Bearer ").encode() for secret in (WRONG, RIGHT)]
    # Whole groups of three bytes, wherever they begin in what was encoded.
    coded = [base64.b64encode(s[n : n + 12])[:16] for s in secrets for n in range(3)]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "stagedoor.db" for path in files)
    hidden = (*secrets, *coded, KEY.encode())
    return [path for path in files if any(each in _bytes_of(path) for each in hidden)]


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # the broker writes beside its files, and renames: it was there under one name


@pytest.mark.long
async def test_it_is_fetched_and_nothing_shows_the_secret(tmp_path: Path) -> None:
    write_master(tmp_path / "m.wav", Spec(seconds=0.5))
    body = (tmp_path / "m.wav").read_bytes()
    seen: list[str] = []
    answers: list[Any] = []
    with running_stack(tmp_path, {"STAGEDOOR_SECRETS_KEY": KEY}) as stack:
        url = stack.origin.serve("/private.wav", guarded(replies.file(body), seen))
        async with Client(stack.ready) as client:
            status, made = await client.create(url, "USRC17607839", sourceHeaders=_with(WRONG))
            assert status == 201, made
            path = f"/atmos-import-tasks/{made['data']['id']}"
            failed = await _ended(client, path)
            assert failed["data"]["attributes"]["status"] == "download_failed"
            data = {"type": "atmos-import-tasks", "id": made["data"]["id"]}
            change = {"data": data | {"attributes": {"sourceHeaders": _with(RIGHT)}}}
            answers += [made, failed, await client.call("PATCH", path, change)]
            answers.append(await client.call("POST", f"{path}/retry"))
            assert traces(tmp_path) == []
            done = await _ended(client, path)
            assert done["data"]["attributes"]["status"] == "completed"
            answers += [done, await client.call("GET", "/atmos-import-tasks")]
        assert [_knows_the_key(stack, name) for name in PARTS] == [True, False, False]
    assert {WRONG, RIGHT} == set(seen)
    assert not any(secret[7:] in json.dumps(answers) for secret in (WRONG, RIGHT))
    assert traces(tmp_path) == []


def _with(secret: str) -> Any:
    return {"Authorization": secret}


async def _ended(client: Client, path: str) -> Any:
    await client.until(path.rpartition("/")[2])
    return (await client.call("GET", path))[1]


def _knows_the_key(stack: Stack, name: str) -> bool:
    (pid, *_) = stack.pids(name)
    return KEY.encode() in Path(f"/proc/{pid}/environ").read_bytes()
