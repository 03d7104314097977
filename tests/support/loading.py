"""What a program of ours has loaded at the moment when it is ready."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

from cli.stack.services import LOOPBACK
from shared.bus.roles import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.nats import NatsServer

ROOT: Final = Path(__file__).parents[2]
OURS: Final = frozenset({"cli", "services", "shared", "stagedoor"})
_LOADED: Final = "loaded:"
# Runs a program, whose one call to a function means that it is ready; that prints what is loaded.
_PROGRAM: Final = """
import importlib, sys
_, where, name, code, *arguments = sys.argv
module = importlib.import_module(where)
told = getattr(module, name)
def tell(*given, **named):
    print(%r, *(name for name, module in sys.modules.items() if module), flush=True)
    return told(*given, **named)
setattr(module, name, tell)
sys.argv = [name, *arguments]
exec(code)
"""
_TIMED: Final = re.compile(r"import time: +(\d+) \| +\d+ \| +(\S+)")


@dataclass(frozen=True, slots=True)
class Program:
    """A program, by the code that runs it, and the function that it calls when it is ready."""

    code: str
    ready: tuple[str, str]
    arguments: tuple[str, ...] = ()


def service(role: Role, *arguments: str) -> Program:
    """One of the services; it is ready when it says so to who started it."""
    code = f"import runpy; runpy.run_module('services.{role}', run_name='__main__', alter_sys=True)"
    return Program(code, ("shared.telemetry.ready", "write_ready_file"), arguments)


def command(*arguments: str, ready: tuple[str, str] = ("sys", "exit")) -> Program:
    """The ``stagedoor`` command, up to its end if nothing else is said."""
    return Program("from cli.main import main; main()", ready, arguments)


UP: Final = command(
    *("up", "--http", f"{LOOPBACK}:0", "--grpc", f"{LOOPBACK}:0"),
    ready=("shared.private", "write_private"),
)
"""The supervisor of the embedded stack, up to its ready file."""


def environment(
    folder: Path, nats: NatsServer | None = None, role: Role = Role.API
) -> dict[str, str]:
    """Settings with which a program keeps to a folder and finds its broker."""
    settings = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "shared" / "gen")]),
        "STAGEDOOR_DATA_DIR": str(folder),
        "STAGEDOOR_HTTP_LISTEN": f"{LOOPBACK}:0",
        "STAGEDOOR_GRPC_LISTEN": f"{LOOPBACK}:0",
    }
    return settings | ({"STAGEDOOR_NATS_URL": nats.url(role)} if nats else {})


def loaded(program: Program, environ: Mapping[str, str]) -> dict[str, float]:
    """The modules that are loaded, with the milliseconds that each took by itself.

    Raises RuntimeError with what the program said if it ended before it was ready.
    """
    command = [sys.executable, "-X", "importtime", "-c", _PROGRAM % _LOADED]
    with TemporaryFile("w+") as log:  # no pipe: nobody reads it until the program ends
        with subprocess.Popen(
            [*command, *program.ready, program.code, *program.arguments],
            env=environ,
            cwd=environ["STAGEDOOR_DATA_DIR"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process:
            assert process.stdout
            names = next((line.split() for line in process.stdout if line.startswith(_LOADED)), [])
            process.send_signal(signal.SIGTERM)
            process.communicate()
        log.seek(0)
        said = log.read()
    if not names:
        raise RuntimeError(said[-3000:])
    took = {name: int(micro) / 1000 for micro, name in _TIMED.findall(said)}
    return {name: took.get(name, 0.0) for name in names[1:]}


def package(module: str) -> str:
    """The top-level package of a module; empty for Python's own and the installation's."""
    top = module.partition(".")[0]
    known = top in sys.stdlib_module_names or top.startswith(("_", "sitecustomize"))
    return "" if known else top
