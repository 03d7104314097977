"""What each process has loaded when it is ready, by package."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from shared.bus.roles import Role
from tests.support.loading import UP, Program, command, environment, loaded, package, service
from tests.support.nats import NatsServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORKERS: Final = (Role.DOWNLOADER, Role.VALIDATOR, Role.PUBLISHER)
_LEAST_MS: Final = 5.0
"""What takes less in every process stands in one line with all others."""
_PYTHONS_OWN: Final = ""

Packages = dict[str, tuple[float, int]]
"""Milliseconds and modules of each package."""


def loads(rounds: int) -> dict[str, Packages]:
    """Of each process: the least of its runs, as whatever else the machine does only adds."""
    found = {}
    with ExitStack() as stack:
        nats = NatsServer()
        stack.callback(nats.remove)
        nats.start()
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="stagedoor-bench-")))
        for name, (program, role) in _programs(folder).items():
            print(name, file=sys.stderr)  # noqa: T201 - how far it is
            # The supervisor starts a broker, and all others, itself.
            environ = environment(folder, None if program is UP else nats, role)
            loaded(program, environ)  # the first one makes tables and byte code
            found[name] = _by_package([loaded(program, environ) for _ in range(rounds)])
    return found


def _programs(folder: Path) -> dict[str, tuple[Program, Role]]:
    api = service(Role.API, "--prepare", str(folder / "token"))
    workers = {role.value: (service(role), role) for role in WORKERS}
    commands = {"`--help`": (command("--help"), Role.API), "`up`": (UP, Role.API)}
    return {**commands, Role.API.value: (api, Role.API), **workers}


def _by_package(rounds: list[dict[str, float]]) -> Packages:
    found: Packages = {}
    for modules in rounds:
        sums: dict[str, float] = defaultdict(float)
        for name, milliseconds in modules.items():
            sums[package(name)] += milliseconds
        counts = Counter(map(package, modules))
        for name, total in sums.items():
            least, _ = found.get(name, (total, 0))
            found[name] = (min(least, total), counts[name])
    return found


def table(found: Mapping[str, Packages]) -> Iterator[str]:
    """The lines: a package each, the longest first, and the sums."""
    yield f"| ms (modules) | {' | '.join(found)} |"
    yield f"|---|{'---|' * len(found)}"
    most: dict[str, float] = defaultdict(float)
    for packages in found.values():
        for name, (took, _) in packages.items():
            most[name] = max(most[name], took)
    by_time = sorted(most, key=lambda name: -most[name])
    shown = [name for name in by_time if name != _PYTHONS_OWN and most[name] >= _LEAST_MS]
    lines = {"**all**": set(most), "Python's own": {_PYTHONS_OWN}}
    lines |= {name: {name} for name in shown}
    lines["others"] = set(most) - {_PYTHONS_OWN, *shown}
    for name, some in lines.items():
        yield f"| {name} | {' | '.join(_cell(packages, some) for packages in found.values())} |"


def _cell(packages: Packages, names: set[str]) -> str:
    some = [packages[name] for name in names & set(packages)]
    took, count = sum(took for took, _ in some), sum(count for _, count in some)
    return f"{took:.0f} ({count})" if count else ""
