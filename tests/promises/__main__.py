"""Tries every mutant, or those that match the words given; exit 0 when each one was noticed."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

from tests.promises import page
from tests.promises.catalogue import Mutant, Promise, chosen
from tests.promises.trial import Verdict, try_out, try_unchanged


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    match arguments:
        case ["page", file]:
            Path(file).write_text(page.text())
            return 0
        case words:
            return _try(list(chosen(words)))


def _try(pairs: list[tuple[Promise, Mutant]]) -> int:
    began = monotonic()
    tests = {mutant.test for _, mutant in pairs}
    # Two at a time: the machine that this has to run on has two cores.
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as lanes:
        unchanged = lanes.submit(try_unchanged, tests)
        trials = [(promise, mutant, lanes.submit(try_out, mutant)) for promise, mutant in pairs]
        good = [_tell(p.number, m.mechanism, each.result()) for p, m, each in trials]
        good.append(_tell("--", f"{len(tests)} tests, nothing taken out", unchanged.result()))
    _say(f"{sum(good)} of {len(good)} as they must be, in {monotonic() - began:.0f} s")
    return 0 if all(good) and pairs else 1


def _tell(number: str, what: str, verdict: Verdict) -> bool:
    mark = "ok  " if verdict.good else "BAD "
    _say(f"{mark} {number:3} {verdict.seconds:5.1f} s  {what}: {verdict.said}")
    return verdict.good


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
