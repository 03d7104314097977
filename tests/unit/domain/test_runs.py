"""The rules of claims and reports, by example."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.api.domain import changes
from services.api.domain.changes import NewTask, TaskChange
from services.api.domain.errors import StateConflict
from services.api.domain.lifecycle import Stage, Status
from services.api.domain.runs import (
    MAX_BACKOFF,
    Accepted,
    Failed,
    Go,
    Later,
    Limits,
    Released,
    Rules,
    Run,
    Stop,
    Stored,
    backoff,
    error,
)
from services.api.domain.task import Master, Target, Task
from services.api.domain.values import parse_isrc, parse_md5

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = Limits(
    lease=timedelta(seconds=30), max_attempts=2, deadlines=dict.fromkeys(Stage, timedelta(hours=1))
)
RULES = Rules(limits=LIMITS, trust_silence_from=NOW)
OOPS = Failed(problem=error("origin_error", "It said 503."))


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


def a_task() -> Task:
    new = NewTask(master_type="dolby_atmos", source_uri="https://a.example/m.wav")
    return changes.create(new, UUID(int=1), "default", NOW)


def a_run(stage: Stage = Stage.DOWNLOAD) -> Run:
    return Run(stage, 1, uuid4())


def claimed(run: Run) -> Task:
    task, decision = RULES.claim(a_task(), run, NOW)
    assert isinstance(decision, Go)
    return task


def test_a_claim_ends_with_its_lease_unless_progress_renews_it() -> None:
    run, other = a_run(), a_run()
    task = claimed(run)
    renewed = RULES.progress(task, run, 10, 100, NOW + seconds(20))
    assert renewed is not None
    _, decision = RULES.claim(renewed, other, NOW + seconds(40))
    assert decision == Later(seconds(10))
    after, decision = RULES.claim(renewed, other, NOW + seconds(50))
    assert isinstance(decision, Go)
    assert after.attempts == 2


def test_after_its_own_start_the_api_waits_one_lease_before_it_believes_silence() -> None:
    late = Rules(limits=LIMITS, trust_silence_from=NOW + seconds(130))
    _, decision = late.claim(claimed(a_run()), a_run(), NOW + seconds(100))
    assert decision == Later(seconds(30))


def test_progress_cannot_renew_beyond_the_deadline() -> None:
    run = a_run()
    task = claimed(run)
    near_end = RULES.progress(task, run, 1, None, NOW + timedelta(minutes=59, seconds=50))
    assert near_end is not None
    assert near_end.claim is not None
    assert near_end.claim.lease_until == NOW + timedelta(hours=1)
    assert RULES.progress(near_end, run, 2, None, NOW + timedelta(hours=1)) is None


def test_a_silent_last_attempt_fails_the_task_at_the_next_claim() -> None:
    first, second = a_run(), a_run()
    task, _ = RULES.claim(claimed(first), second, NOW + seconds(31))
    task, decision = RULES.claim(task, a_run(), NOW + seconds(62))
    assert decision == Stop("attempts_exhausted")
    assert task.status is Status.DOWNLOAD_FAILED
    assert [p["code"] for p in task.problems] == ["worker_lost"]


def test_the_last_failed_attempt_fails_with_its_own_reason() -> None:
    run = a_run()
    task = RULES.report(claimed(run), run, OOPS, NOW, 1.0)
    assert task is not None
    assert (task.status, task.due_at) == (Status.DOWNLOADING, NOW + LIMITS.retry_base)
    run = a_run()
    task, _ = RULES.claim(task, run, NOW + seconds(10))
    task = RULES.report(task, run, OOPS, NOW, 1.0)
    assert task is not None
    assert task.status is Status.DOWNLOAD_FAILED
    assert [p["code"] for p in task.problems] == ["origin_error"]


def test_a_command_that_comes_before_the_retry_time_has_to_wait() -> None:
    run = a_run()
    task = RULES.report(claimed(run), run, OOPS, NOW, 1.0)
    assert task is not None
    _, decision = RULES.claim(task, a_run(), NOW + seconds(4))
    assert decision == Later(seconds(6))


def test_a_command_that_was_published_may_be_claimed_before_the_next_one_is_due() -> None:
    waiting = replace(a_task(), published=1, due_at=NOW + seconds(60))
    _, decision = RULES.claim(waiting, a_run(), NOW + seconds(1))
    assert isinstance(decision, Go)


def test_a_claim_for_another_generation_is_stale() -> None:
    for generation in (1, 3):
        task = replace(a_task(), generation=2)
        assert RULES.claim(task, replace(a_run(), generation=generation), NOW) == (
            task,
            Stop("stale"),
        )


def test_a_claim_starts_the_count_of_its_commands_anew() -> None:
    task, _ = RULES.claim(replace(a_task(), published=7), a_run(), NOW)
    assert task.published == 0


def test_the_retry_time_holds_though_commands_were_sent_for_a_silent_run() -> None:
    run = a_run()
    task = RULES.report(replace(claimed(run), published=3), run, OOPS, NOW, 1.0)
    assert task is not None
    assert RULES.claim(task, a_run(), NOW + seconds(4))[1] == Later(seconds(6))


def test_every_stage_has_all_attempts() -> None:
    first, second = a_run(), a_run()
    task, _ = RULES.claim(claimed(first), second, NOW + seconds(31))
    stored = Stored(master=Master(blob_key="k", size_bytes=1, md5="0" * 32))
    downloaded = RULES.report(task, second, stored, NOW, 1.0)
    assert downloaded is not None
    validating, _ = RULES.claim(downloaded, a_run(Stage.VALIDATE), NOW + seconds(32))
    assert validating.attempts == 1


def test_an_origin_may_ask_for_a_longer_wait() -> None:
    run = a_run()
    failed = replace(OOPS, retry_after=timedelta(hours=1))
    task = RULES.report(claimed(run), run, failed, NOW, 0.0)
    assert task is not None
    assert task.due_at == NOW + timedelta(hours=1)


def test_interrupted_is_not_failed() -> None:
    run = a_run()
    task = RULES.report(claimed(run), run, Released(reason="shutdown"), NOW, 1.0)
    assert task is not None
    assert (task.attempts, task.status, task.due_at) == (0, Status.DOWNLOADING, NOW)
    assert task.problems == ()


def test_an_outcome_of_another_stage_fails_the_task_with_a_word() -> None:
    run = a_run()
    task = RULES.report(claimed(run), run, Accepted(md5="", size_bytes=0, format={}), NOW, 1.0)
    assert task is not None
    assert task.status is Status.DOWNLOAD_FAILED
    assert [p["code"] for p in task.problems] == ["internal_error"]


@pytest.mark.parametrize("jitter", [0.0, 0.3, 1.0])
def test_backoff_grows_is_capped_and_jittered(jitter: float) -> None:
    waits = [backoff(n, seconds(10), jitter) for n in range(1, 60)]
    assert waits == sorted(waits)
    assert waits[0] == seconds(10) * jitter
    assert waits[-1] == MAX_BACKOFF * jitter


def test_a_new_source_starts_over_and_a_new_isrc_does_not() -> None:
    run = a_run()
    task = claimed(run)
    same_run = changes.change(task, TaskChange(isrc="USRC12345678"), NOW)
    assert (same_run.claim, same_run.generation) == (task.claim, 1)
    anew = changes.change(task, TaskChange(declared_md5="0" * 32), NOW)
    assert (anew.status, anew.generation, anew.claim) == (Status.PENDING, 2, None)
    assert RULES.report(anew, run, OOPS, NOW, 1.0) is None


def test_a_new_generation_has_all_attempts_and_is_due_at_once() -> None:
    worn = replace(claimed(a_run()), attempts=2, published=3, due_at=NOW + seconds(60))
    anew = changes.change(worn, TaskChange(source_uri="https://a.example/2.wav"), NOW)
    assert (anew.attempts, anew.published, anew.due_at) == (0, 0, NOW)
    assert (anew.progress, anew.last_failure, anew.problems) == (None, None, ())


def test_a_new_target_alone_changes_only_the_target() -> None:
    task = a_task()
    target = Target("tracks", UUID(int=5))
    changed = changes.change(task, TaskChange(target=target), NOW)
    assert changed == replace(task, target=target, version=2)


def test_what_did_not_fail_is_not_retried() -> None:
    with pytest.raises(StateConflict):
        changes.retry(a_task(), NOW)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("USRC12345678", "USRC12345678"),
        ("usrc12345678", "USRC12345678"),
        ("FRZ039812345", "FRZ039812345"),
        ("US-RC1-23-45678", None),
        ("USRC1234567", None),
        ("USRC123456789", None),
        ("1SRC12345678", None),
        ("USRC1234567A", None),
        ("USRC1234567\u0661", None),
        ("USRC12345678\n", None),
        ("\u00dfABC1234567", None),
    ],
)
def test_isrc(text: str, stored: str | None) -> None:
    assert parse_isrc(text) == stored


@pytest.mark.parametrize(
    ("text", "stored"),
    [("AB" * 16, "ab" * 16), ("0" * 31, None), ("g" * 32, None), ("0" * 33, None)],
)
def test_md5(text: str, stored: str | None) -> None:
    assert parse_md5(text) == stored
