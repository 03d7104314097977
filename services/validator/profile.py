"""Delivery profiles: which masters are accepted and which findings are errors, as data."""

from __future__ import annotations

import tomllib
from importlib import resources

import msgspec

from shared.problems import Severity


class UnknownProfileError(LookupError):
    """No delivery profile of this name is shipped."""


class Pcm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an ADM BWF may hold: hertz, bits, counts of tracks."""

    sample_rates: frozenset[int]
    bit_depths: frozenset[int]
    max_channels: int


class Eac3(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an E-AC-3 JOC stream may hold: hertz, and the lowest share of frames with objects."""

    sample_rates: frozenset[int]
    min_carrying: float
    max_gap_seconds: float


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One delivery profile; ``severities`` overrules rules by their code."""

    name: str
    title: str
    formats: frozenset[str]
    pcm: Pcm
    eac3: Eac3
    severities: dict[str, Severity] = {}


def load_profile(name: str) -> Profile:
    """Load a shipped profile; raises UnknownProfileError, and msgspec.ValidationError if broken."""
    if name not in profile_names():
        raise UnknownProfileError(name)
    text = _folder().joinpath(f"{name}.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text) | {"name": name}, Profile)


def profile_names() -> list[str]:
    """Return the names of the shipped profiles."""
    files = (each.name for each in _folder().iterdir())
    return sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml"))


def _folder() -> resources.abc.Traversable:
    return resources.files("services.validator").joinpath("profiles")
