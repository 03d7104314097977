"""Who is told of what, and when it is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.api.domain.subscriptions import (
    DELAYS,
    LONGEST_DELAY,
    Outcome,
    host_of,
    is_event_type,
    matches,
    retry_delay,
)

COMPLETED = "stagedoor.import_task.completed"
FAILED = Outcome(error="bad_status", status=500)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ((), True),
        ((COMPLETED,), True),
        (("stagedoor.import_task.*",), True),
        (("stagedoor.*",), True),
        (("stagedoor.import_task.pending", COMPLETED), True),
        (("stagedoor.import_task.pending",), False),
        (("stagedoor.import.*",), False),
        (("stagedoor.import_task.complete",), False),
    ],
)
def test_a_subscription_is_told_of_what_it_asks_for(wanted: tuple[str, ...], *, told: bool) -> None:
    assert matches(wanted, COMPLETED) is told


@pytest.mark.parametrize(
    "text", ["", "*", "stagedoor", "stagedoor.import_task.complete", ".*", "Stagedoor.*", "a.*"]
)
def test_what_stands_for_no_event_is_no_type(text: str) -> None:
    assert not is_event_type(text)


@pytest.mark.parametrize("text", [COMPLETED, "stagedoor.*", "stagedoor.import_task.*"])
def test_types_and_prefixes_are(text: str) -> None:
    assert is_event_type(text)


def test_waits_follow_the_schedule_and_end() -> None:
    waits = [retry_delay(n, FAILED, share=0.0) for n in range(1, len(DELAYS) + 2)]
    assert waits == [*DELAYS, None]


def test_jitter_and_scale_stretch_a_wait() -> None:
    assert retry_delay(1, FAILED, share=1.0) == timedelta(seconds=6)
    assert retry_delay(1, FAILED, share=0.0, scale=0.5) == timedelta(seconds=2.5)


def test_a_receiver_may_ask_for_more_time_but_not_for_ever_nor_for_less() -> None:
    def wait(asked: timedelta) -> timedelta | None:
        return retry_delay(2, Outcome(error="bad_status", retry_after=asked), share=0.0)

    assert wait(timedelta(hours=1)) == timedelta(hours=1)
    assert wait(timedelta(days=400)) == LONGEST_DELAY
    assert wait(timedelta(seconds=1)) == DELAYS[1]


@pytest.mark.parametrize(
    "outcome", [Outcome(error="mail_refused", permanent=True), Outcome(error="gone", gone=True)]
)
def test_what_will_never_succeed_is_not_tried_again(outcome: Outcome) -> None:
    assert retry_delay(1, outcome, share=0.0) is None


def test_all_mail_keeps_one_host_busy() -> None:
    assert host_of("mailto:a@example.com") == host_of("mailto:b@example.org")
    assert host_of("https://a.example:8443/x?y") == "a.example"
