"""The token bucket by itself."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.api import limits
from services.api.limits import Allowance, RateLimiter
from tests.support.core import a_principal


def test_the_burst_is_a_minutes_worth_unless_said() -> None:
    limiter = RateLimiter(3, clock=lambda: 0.0)
    assert [limiter.take(a_principal()).allowed for _ in range(4)] == [True, True, True, False]
    assert limiter.take(a_principal()) == Allowance(3, 0, 20, allowed=False)


def test_refusals_cost_nothing() -> None:
    now = [0.0]
    limiter = RateLimiter(60, 1, clock=lambda: now[0])
    assert limiter.take(a_principal()).allowed
    assert not any(limiter.take(a_principal()).allowed for _ in range(9))
    now[0] = 1.0
    assert limiter.take(a_principal()).allowed


@given(st.lists(st.floats(0, 30), max_size=200), st.integers(1, 100), st.integers(1, 20))
def test_no_minute_has_more_than_a_burst_and_a_minutes_worth(
    pauses: list[float], per_minute: int, burst: int
) -> None:
    now, allowed = [0.0], []
    limiter = RateLimiter(per_minute, burst, clock=lambda: now[0])
    for pause in pauses:
        now[0] += pause
        allowance = limiter.take(a_principal())
        assert 0 <= allowance.remaining <= burst
        assert allowance.reset_seconds >= 1
        if allowance.allowed:
            allowed.append(now[0])
    for start in allowed:
        assert sum(start <= each < start + 60 for each in allowed) <= burst + per_minute + 1


def test_a_limiter_that_breaks_lets_everybody_in() -> None:
    limiter = RateLimiter(1, 5, clock=lambda: 1 / 0)
    with capture_logs() as logs:
        assert limiter.take(a_principal()) == Allowance(5, 5, 0, allowed=True)
    assert [log["event"] for log in logs] == ["rate_limiter_failed"]


def test_a_caller_is_a_token_of_a_tenant() -> None:
    limiter = RateLimiter(1, clock=lambda: 0.0)
    one = a_principal()
    for who in (one, replace(one, tenant="other"), replace(one, token_id="another")):
        assert limiter.take(who).allowed
        assert not limiter.take(who).allowed


def test_who_calls_is_remembered_longer_than_who_does_not() -> None:
    now = [0.0]
    limiter = RateLimiter(2, clock=lambda: now[0])
    busy, silent = a_principal("busy"), a_principal("silent")
    for who in (busy, silent, busy):
        assert limiter.take(who).allowed
    for number in range(limits.MAX_CALLERS - 1):
        limiter.take(a_principal(f"t{number}"))
    assert not limiter.take(busy).allowed


def test_not_every_caller_is_remembered_for_ever() -> None:
    limiter = RateLimiter(1, clock=lambda: 0.0)
    first = a_principal("first")
    limiter.take(first)
    for number in range(limits.MAX_CALLERS):
        assert limiter.take(a_principal(f"t{number}")).allowed
    assert limiter.take(first).allowed
