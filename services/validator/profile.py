"""Delivery profiles: which masters are accepted and which findings are errors, as data.

A file may build on another with ``extends = "name"``: its values stand instead of the other's,
table by table. ``inf`` asks nothing, where a limit may be left out.
"""

from __future__ import annotations

import math
import tomllib
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from services.validator.audio.limits import Delivery, Seconds, Share
from services.validator.rules import load_all
from services.validator.rules.registry import RULES
from shared.problems import Severity
from shared.profiles import profile_names, profile_text

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "DEFAULT",
    "BrokenProfileError",
    "Profile",
    "Profiles",
    "UnknownProfileError",
    "load_profile",
    "profile_names",
]

DEFAULT = "atmos"

Carrier = Literal["adm_bwf", "eac3_joc", "ac4", "ac4_immersive_stereo", "truehd"]
FrameRate = Literal["23.976", "24", "25", "29.97 drop", "29.97", "30"]
WarpMode = Annotated[int, msgspec.Meta(ge=0, le=4)]
Positive = Annotated[int, msgspec.Meta(gt=0)]


class UnknownProfileError(LookupError):
    """There is no delivery profile of this name."""


class BrokenProfileError(ValueError):
    """The file of a delivery profile cannot be used; the message names the file and the field."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}.toml: {reason}")


class Pcm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an ADM BWF may hold: hertz, bits, counts of tracks."""

    sample_rates: frozenset[Positive]
    bit_depths: frozenset[Positive]
    max_channels: Positive


class Eac3(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an E-AC-3 JOC stream may hold: hertz, and the lowest share of frames with objects."""

    sample_rates: frozenset[Positive]
    min_carrying: Share
    max_gap_seconds: Seconds


class Dolby(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What Dolby's metadata may say: frames per second, and codes of the downmix to 5.1."""

    frame_rates: frozenset[FrameRate] = frozenset({"24"})
    warp_modes: frozenset[WarpMode] = frozenset({0})


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One delivery profile; ``severities`` overrules rules by their code."""

    name: str
    title: str
    formats: frozenset[Carrier]
    pcm: Pcm
    eac3: Eac3
    dolby: Dolby = Dolby()
    delivery: Delivery = Delivery()
    severities: dict[str, Severity] = {}


class Profiles:
    """All profiles that a deployment knows, read once; ``default`` is for who names none."""

    def __init__(self, default: str = DEFAULT, folder: Path | None = None) -> None:
        """Read them all; raises as load_profile, also when there is no ``default``."""
        self._default = default
        self._known = {name: load_profile(name, folder) for name in profile_names(folder)}
        self.get("")

    def get(self, name: str) -> Profile:
        """Return a profile, the default for an empty name; raises UnknownProfileError."""
        try:
            return self._known[name or self._default]
        except KeyError:
            raise UnknownProfileError(name or self._default) from None


def load_profile(name: str, folder: Path | None = None) -> Profile:
    """Load a profile, from the folder or a shipped one.

    Raises UnknownProfileError, BrokenProfileError when its file or one that it extends cannot be
    used, and OSError when the folder cannot be read.
    """
    try:
        fields = _fields(name, folder, ())
    except LookupError as error:
        raise UnknownProfileError(name) from error
    return _profile(name, fields)


def _fields(name: str, folder: Path | None, children: tuple[str, ...]) -> dict[str, Any]:
    """Return what a file says over what its parents say; raises LookupError for an unknown name."""
    fields = _read(name, folder)
    parent = fields.pop("extends", None)
    if parent is None:
        return fields
    if not isinstance(parent, str) or parent in (*children, name):
        raise BrokenProfileError(name, f"extends: {parent!r} is no other profile")
    try:
        inherited = _fields(parent, folder, (*children, name))
    except LookupError:
        raise BrokenProfileError(name, f"extends: there is no profile {parent!r}") from None
    # A broken parent is told by its own name.
    _profile(parent, inherited)
    return _merged(inherited, fields)


def _read(name: str, folder: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(profile_text(name, folder), parse_float=_number)
    except UnicodeDecodeError as error:
        raise BrokenProfileError(name, f"not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise BrokenProfileError(name, str(error)) from error


def _number(text: str) -> float | str | None:
    """Return None for infinity, and no number at all for what is none."""
    value = float(text)
    if math.isnan(value):
        return text
    return value if math.isfinite(value) else None


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return both: tables merged, all other values replaced."""
    both = {
        key: _merged(base[key], value)
        for key, value in over.items()
        if isinstance(value, dict) and isinstance(base.get(key), dict)
    }
    return base | over | both


def _profile(name: str, fields: dict[str, Any]) -> Profile:
    if "name" in fields:
        raise BrokenProfileError(name, "name: a profile is named by its file")
    try:
        profile = msgspec.convert(fields | {"name": name}, Profile)
    except msgspec.ValidationError as error:
        raise BrokenProfileError(name, str(error)) from error
    _check_codes(profile)
    return profile


def _check_codes(profile: Profile) -> None:
    if not profile.severities:
        return
    load_all()
    unknown = sorted(set(profile.severities) - {rule.code for rule in RULES})
    if unknown:
        reason = f"severities.{unknown[0]}: there is no rule of this code"
        raise BrokenProfileError(profile.name, reason)
