"""Delivery profiles as files: those that are shipped, and an operator's own folder of more.

The API knows their names, the validator what is in them.
"""

from __future__ import annotations

import re
from pathlib import Path

SUFFIX = ".toml"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
# importlib.resources would load a dozen modules for nothing: the package is never zipped.
_SHIPPED = Path(__file__).parent


def profile_names(folder: Path | None = None) -> list[str]:
    """The names of all profiles, those of the folder besides the shipped ones; OSError if none."""
    files = [each.name for each in _SHIPPED.iterdir()]
    if folder is not None:
        files += [each.name for each in folder.iterdir()]
    names = {name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX)}
    return sorted(name for name in names if _NAME.fullmatch(name))


def profile_text(name: str, folder: Path | None = None) -> str:
    """The TOML of a profile, the folder's before a shipped one; raises LookupError, OSError."""
    if name not in profile_names(folder):
        raise LookupError(name)
    own = folder / f"{name}{SUFFIX}" if folder is not None else None
    if own is not None and own.is_file():
        return own.read_text("utf-8")
    return (_SHIPPED / f"{name}{SUFFIX}").read_text("utf-8")
