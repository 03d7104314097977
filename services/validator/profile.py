"""Delivery profiles: which masters are accepted and which findings are errors, as data."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import msgspec

from services.validator.audio.limits import Delivery
from shared.problems import Severity
from shared.profiles import profile_names, profile_text

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Profile", "UnknownProfileError", "load_profile", "profile_names"]


class UnknownProfileError(LookupError):
    """There is no delivery profile of this name."""


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
    delivery: Delivery = Delivery()
    severities: dict[str, Severity] = {}


def load_profile(name: str, folder: Path | None = None) -> Profile:
    """Load a profile; raises UnknownProfileError, and msgspec.ValidationError if it is broken."""
    try:
        text = profile_text(name, folder)
    except LookupError as error:
        raise UnknownProfileError(name) from error
    return msgspec.convert(tomllib.loads(text) | {"name": name}, Profile)
