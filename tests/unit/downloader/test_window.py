"""The window is bounded, in order, and wakes whoever waits."""

from __future__ import annotations

import threading

from services.downloader.window import Window


def test_the_window_never_holds_more_than_it_may() -> None:
    window = Window(7, 1_007, segment_bytes=100, most=3)
    claimed = [window.claim() for _ in range(3)]
    more = threading.Thread(target=lambda: claimed.append(window.claim()), daemon=True)
    more.start()
    first, second, third = claimed
    assert first
    assert second
    assert third
    window.done(third)
    window.done(second)
    assert len(claimed) == 3  # nothing is free before the first one is taken and given back
    window.done(first)
    taken = window.in_order()
    assert [next(taken).first for _ in range(3)] == [7, 107, 207]
    assert more.is_alive()
    window.free(first.memory)
    more.join(5)
    assert claimed[3] is not None
    assert claimed[3].first == 307
    assert claimed[3].memory.obj is first.memory.obj


def test_the_last_segment_is_what_is_left() -> None:
    window = Window(0, 250, segment_bytes=100, most=2)
    sizes = []
    while (segment := window.claim()) is not None:
        window.done(segment)
        assert next(window.in_order()) is segment
        sizes.append(len(segment.memory))
        window.free(segment.memory)
    assert sizes == [100, 100, 50]
    assert list(window.in_order()) == []


def test_the_end_of_a_window_wakes_everyone() -> None:
    window = Window(0, 1_000, segment_bytes=100, most=1)
    assert window.claim() is not None
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(window.claim()), daemon=True),
        threading.Thread(target=lambda: found.append(list(window.in_order())), daemon=True),
    ]
    for thread in threads:
        thread.start()
    window.end()
    for thread in threads:
        thread.join(5)
    assert sorted(found, key=str) == [None, []]


def test_the_first_is_waited_for_whatever_else_is_there() -> None:
    window = Window(0, 200, segment_bytes=100, most=2)
    first, second = window.claim(), window.claim()
    assert first
    assert second
    taken: list[int] = []
    consumer = threading.Thread(
        target=lambda: taken.extend(segment.first for segment in window.in_order()), daemon=True
    )
    consumer.start()
    window.done(second)
    consumer.join(0.1)
    assert consumer.is_alive()
    window.done(first)
    consumer.join(5)
    assert taken == [0, 100]
