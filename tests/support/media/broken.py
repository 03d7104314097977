"""One broken master per rule: valid but for one thing, with the one code that must be found."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from cli.demo.master import Spec, Wave, master
from tests.support import media

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["SMALL", "Broken", "all_files", "axml", "raw", "stored", "wave"]

SMALL = Spec(objects=2, seconds=0.1)


@dataclass(frozen=True, slots=True)
class Broken:
    """A broken file: the one code that must be found, and how to write it.

    ``stereo_seconds`` is how long the track's stereo version is said to be, ``master_type`` what
    the file is declared as.
    """

    code: str
    name: str
    write: Callable[[Path], object]
    stereo_seconds: float | None = None
    master_type: str = "dolby_atmos"


def wave(code: str, name: str, change: Callable[[Wave], Wave], spec: Spec = SMALL) -> Broken:
    """Describe a master that is broken by a change to its parts."""
    return Broken(code, name, lambda path: change(master(spec)).write(path))


def stored(code: str, name: str, change: Callable[[bytes], bytes], spec: Spec = SMALL) -> Broken:
    """Describe a master that is broken by a change to its bytes."""

    def write(path: Path) -> None:
        master(spec).write(path)
        path.write_bytes(change(path.read_bytes()))

    return Broken(code, name, write)


def raw(code: str, name: str, make: Callable[[], bytes]) -> Broken:
    """Describe a broken file by its bytes."""
    return Broken(code, name, lambda path: path.write_bytes(make()))


def axml(old: str, new: str, count: int = 1) -> Callable[[Wave], Wave]:
    """Return a change to a master: the first ``old`` of its XML, or all for -1, is ``new``."""

    def change(wave: Wave) -> Wave:
        text = wave.chunks["axml"].decode()
        assert old in text
        return wave.with_chunk("axml", text.replace(old, new, count).encode())

    return change


def all_files() -> list[Broken]:
    """Return the broken files of every module broken_*, each with its code."""
    names = [each.name for each in iter_modules(media.__path__) if each.name.startswith("broken_")]
    modules = [import_module(f"{media.__name__}.{name}") for name in names]
    return [broken for module in modules for broken in module.files()]
