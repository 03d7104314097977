"""The promises and the mutants of the mechanisms behind them, as the registry has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
REGISTRY = Path(__file__).parent / "registry"
PROMISES = tuple(f"P{number}" for number in range(1, 13))
NOTICED = ("AssertionError", "assert", "Failed", "TimeoutError")
"""How a test may notice: an assertion, what pytest calls a failure, a deadline."""


class StaleMutant(Exception):  # noqa: N818 - reads as what happened
    """The text that a mutant replaces does not occur exactly once."""


class Mutant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mechanism taken out.

    ``old`` occurs exactly once in the file; ``without`` says what happens without the mechanism;
    ``noticed_by`` is the exception with which the test fails, if it is another one than NOTICED.
    """

    mechanism: str
    path: str
    old: str
    new: str
    test: str
    without: str
    noticed_by: str = ""

    def apply(self, root: Path) -> None:
        """Take the mechanism out of the tree at this root. Raises StaleMutant."""
        file = root / self.path
        file.write_text(self.mutated(file.read_text()))

    def mutated(self, text: str) -> str:
        """The file's text without the mechanism. Raises StaleMutant."""
        times = text.count(self.old)
        if times != 1:
            raise StaleMutant(f"{self.path} has this {times} times, not once:\n{self.old}")
        return text.replace(self.old, self.new)

    @property
    def is_slow(self) -> bool:
        """Whether its test starts the whole product, which takes most of a minute."""
        return self.test.startswith("tests/faults/")

    @property
    def exceptions(self) -> tuple[str, ...]:
        """The names of the exceptions that count as noticing."""
        return (self.noticed_by,) if self.noticed_by else NOTICED


class Promise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A promise, and the mutants that prove that its tests would notice if it were broken."""

    number: str
    title: str
    mutants: tuple[Mutant, ...]


def load() -> tuple[Promise, ...]:
    """All promises in their order. Raises msgspec.ValidationError for a registry that is wrong."""
    files = sorted(REGISTRY.glob("p*.toml"))
    return tuple(msgspec.toml.decode(file.read_bytes(), type=Promise) for file in files)


def chosen(words: list[str]) -> Iterator[tuple[Promise, Mutant]]:
    """The mutants whose promise, mechanism, path or test has one of these words.

    By default all that are not slow; ``all`` means the slow ones too.
    """
    for promise in load():
        for mutant in promise.mutants:
            said = f"{mutant.mechanism} {mutant.path} {mutant.test}".lower()
            fits = any(word == promise.number or word.lower() in said for word in words)
            if fits or "all" in words or (not words and not mutant.is_slow):
                yield promise, mutant
