"""What fuzzing has found once breaks nothing any more."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fuzz.readers.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
MAX_CORPUS_BYTES = 300_000
MAX_SECONDS = 10


def test_each_target_has_a_corpus_and_all_are_small() -> None:
    sizes = {
        path.name: [each.stat().st_size for each in path.iterdir()] for path in CORPUS.iterdir()
    }
    assert set(sizes) == set(TARGETS)
    assert all(sizes.values())
    assert sum(sum(each) for each in sizes.values()) < MAX_CORPUS_BYTES


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_breaks_nothing(name: str) -> None:
    for path in sorted((CORPUS / name).iterdir()):
        started = time.monotonic()
        TARGETS[name](path.read_bytes())
        assert time.monotonic() - started < MAX_SECONDS, path.name
