"""When silence is proof."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.api.domain.silence import Silence

MINUTE = timedelta(minutes=1)


def test_silence_proves_nothing_at_first() -> None:
    assert not Silence.proves_after(MINUTE).is_proof()
    assert Silence.proves_after(timedelta(0)).is_proof()


def test_the_wait_ends_in_so_long_by_whatever_clock() -> None:
    """The clock that leases go by may be an hour off that of this machine."""
    silence = Silence.proves_after(MINUTE)
    for now in (datetime.now(UTC), datetime(1999, 1, 1, tzinfo=UTC)):
        assert timedelta(seconds=30) < silence.is_proof_from(now) - now <= MINUTE
