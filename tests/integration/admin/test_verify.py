"""``verify`` finds what is wrong with stored bytes, and nothing else."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.verify import Scope, Verification
from shared.blobs.base import BlobMissing, StoreUnavailable
from shared.blobs.local import LocalStore
from shared.blobs.open import open_store
from tests.support import s3
from tests.support.core import Core, a_principal, open_core
from tests.support.masters import completed, key_of, stored

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from services.api.use_cases.named import Finding
    from tests.integration.admin.conftest import Admin

WHO = a_principal()
LONG_AGO = time.time() - 7200


async def _found(core: Core, store: Any, **scope: Any) -> tuple[list[Finding], Verification]:
    verification = Verification(core.use_cases.executor, store, Scope(**scope))
    return [finding async for finding in verification.run()], verification


def _damage(data_dir: Path, key: str) -> None:
    path = data_dir / "blobs" / key
    path.write_bytes(path.read_bytes()[:-1] + b"!")


async def test_all_that_is_needed_is_read_and_found_right(stack: Core, store: LocalStore) -> None:
    await completed(stack, store, b"one", "USRC12345671")
    await stored(stack, store, b"three", "USRC12345672", a_principal("other"))
    await stack.task("USRC12345673")
    findings, verification = await _found(stack, store)
    assert findings == []
    assert (verification.sums.checked, verification.sums.bytes) == (2, 8)
    _, one = await _found(stack, store, tenant="other")
    assert one.sums.bytes == 5


async def test_exit_codes_and_lines(
    stack: Core, store: LocalStore, data_dir: Path, admin: Admin
) -> None:
    right = await completed(stack, store, b"one", "USRC12345671")
    assert admin("verify").returncode == 0
    wrong = await completed(stack, store, b"two", "USRC12345672")
    _damage(data_dir, key_of(wrong))
    missing = await stored(stack, store, b"three", "USRC12345673")
    await store.delete(key_of(missing))
    for name in ("orphan", "young"):
        with store.create(f"default/{name}/1/run") as sink:
            sink.write(b"?")
            sink.commit()
    os.utime(data_dir / "blobs/default/orphan/1/run", (LONG_AGO, LONG_AGO))
    done = admin("verify")
    assert done.returncode == 1, done.stderr
    *lines, last = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[:3] for line in lines] == [
        ["wrong", f"records/{wrong.record_id}", key_of(wrong)],
        ["missing", f"importTasks/{missing.id}", key_of(missing)],
        ["unnamed", "-", "default/orphan/1/run"],
    ]
    assert last == ["3 checked, 6 bytes; 2 wrong, 1 unnamed"]
    told = [json.loads(line) for line in admin("verify", "--json").stdout.splitlines()]
    assert [line.get("kind") for line in told] == ["wrong", "missing", "unnamed", None]
    assert told[-1]["summary"] == {"checked": 3, "bytes": 6, "wrong": 2, "unnamed": 1}
    assert await store.size("default/orphan/1/run") == 1
    assert await store.size(key_of(right)) == 3


async def test_only_what_is_young_is_read_if_asked(
    stack: Core, store: LocalStore, admin: Admin
) -> None:
    await completed(stack, store, b"one", "USRC12345671")
    assert "1 checked" in admin("verify", "--since", "1h").stdout
    assert "0 checked" in admin("verify", "--since", "2999-01-01").stdout
    assert admin("verify", "--since", "yesterday").returncode == 2


def test_it_says_when_it_could_not_run(admin: Admin, tmp_path: Path) -> None:
    nowhere = f"sqlite+aiosqlite:///{tmp_path}/nowhere/x.db"
    done = admin("verify", STAGEDOOR_DATABASE_URL=nowhere)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: UNAVAILABLE: ")
    done = admin("verify", STAGEDOOR_TENANT_BYTES="many")
    assert done.returncode == 2
    assert done.stderr.startswith("error: INVALID_SETTINGS: ")


class _Store(LocalStore):
    """One in which something happens to a blob while it is read."""

    def __init__(self, root: Path, happens: Any) -> None:
        super().__init__(root)
        self._happens = happens

    async def chunks(self, key: str) -> AsyncGenerator[bytes]:
        await self._happens()
        raise BlobMissing(key)
        yield b""


async def test_what_is_deleted_while_it_is_read_is_no_finding(
    stack: Core, store: LocalStore, data_dir: Path
) -> None:
    task = await completed(stack, store, b"one", "USRC12345671")

    async def delete() -> None:
        await stack.use_cases.import_tasks.delete(WHO, task.id)

    assert (await _found(stack, _Store(data_dir / "blobs", delete)))[0] == []


async def test_a_store_that_is_away_ends_it(stack: Core, store: LocalStore, data_dir: Path) -> None:
    for number in range(6):
        await completed(stack, store, b"one", f"USRC1234567{number}")

    async def fail() -> None:
        raise StoreUnavailable("away")

    class Away(_Store):
        async def chunks(self, key: str) -> AsyncGenerator[bytes]:
            raise StoreUnavailable(key)
            yield b""

    with pytest.raises(StoreUnavailable):
        await _found(stack, Away(data_dir / "blobs", fail))


async def test_superseded_bytes_on_their_way_out_are_not_listed(
    stack: Core, store: LocalStore, data_dir: Path
) -> None:
    task = await completed(stack, store, b"one", "USRC12345671")
    os.utime(data_dir / "blobs" / key_of(task), (LONG_AGO, LONG_AGO))
    await stack.use_cases.import_tasks.update(WHO, task.id, TaskFields(isrc="USRC12345672"))
    await stack.use_cases.import_tasks.delete(WHO, task.id)
    findings, verification = await _found(stack, store)
    assert (findings, verification.sums.checked) == ([], 0)


async def test_reading_keeps_below_the_rate(stack: Core, store: LocalStore) -> None:
    await completed(stack, store, b"x" * 3000, "USRC12345671")
    since = time.monotonic()
    await _found(stack, store, rate=10_000)
    assert time.monotonic() - since >= 0.3


async def test_it_reads_a_remote_store_by_ranges(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    body = os.urandom(9 * 1024 * 1024)
    with s3.running_s3() as endpoint:
        for name, value in s3.environment(endpoint).items():
            monkeypatch.setenv(name, value)
        bucket = s3.make_bucket(endpoint)
        store = open_store(f"s3://{bucket}/masters", scratch=tmp_path / "scratch")
        async with open_core(database_url, store=store) as core:
            right = await completed(core, store, body, "USRC12345671")
            wrong = await completed(core, store, body, "USRC12345672")
            with store.create(key_of(wrong)) as sink:
                sink.write(body[:-1] + bytes([body[-1] ^ 1]))
                sink.commit()
            findings, verification = await _found(core, store)
    assert [(finding.kind, finding.key) for finding in findings] == [("wrong", key_of(wrong))]
    assert verification.sums.bytes == 2 * len(body)
    assert key_of(right) not in {finding.key for finding in findings}
    assert not list((tmp_path / "scratch").glob("*"))
