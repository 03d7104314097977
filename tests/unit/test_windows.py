"""How many commands may wait in the broker."""

from __future__ import annotations

from services.api.windows import LEAST, MOST, Window


class Clock:
    """A clock that goes as it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def seen(window: Window, clock: Clock, *looks: tuple[float, int]) -> int:
    """The size after some looks: after how many seconds, and how many waited."""
    for after, waiting in looks:
        clock.now += after
        window.see(waiting)
    return window.size


def test_few_at_first_and_what_was_sent_counts() -> None:
    window = Window()
    assert window.room == LEAST
    window.waiting += LEAST + 1
    assert window.room == 0
    window.see(3)
    assert window.room == LEAST - 3


def test_a_queue_that_is_empty_again_at_once_may_be_longer() -> None:
    clock = Clock()
    window = Window(clock)
    assert seen(window, clock, (0, 0), (0.1, 0), (0.1, 0)) == LEAST * 4
    assert seen(window, clock, *[(0.1, 0)] * 20) == MOST


def test_one_that_stays_half_full_may_not() -> None:
    clock = Clock()
    window = Window(clock)
    seen(window, clock, *[(0.1, 0)] * 20)
    assert seen(window, clock, (0.1, MOST // 2)) == MOST
    assert seen(window, clock, (0.1, MOST // 2 + 1)) == MOST // 2
    assert seen(window, clock, *[(0.1, MOST)] * 20) == LEAST


def test_that_one_is_empty_after_a_while_says_nothing() -> None:
    clock = Clock()
    window = Window(clock)
    grown = seen(window, clock, (0, 0), (0.1, 0))
    assert seen(window, clock, (60, 0)) == grown // 2
