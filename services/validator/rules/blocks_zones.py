"""The parts of the room from which an object is kept away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.rules.registry import Finding, rule
from shared.adm.blocks import Form
from shared.adm.model import OBJECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile
    from shared.adm.model import Node

_PROFILE = "Dolby Atmos Master ADM Profile v1.0, zoneExclusion"
_BOUNDS = ("minX", "maxX", "minY", "maxY", "minZ", "maxZ")
_EAR_LEVEL = (-0.499, 0.499)
_ZONES = {
    "ZM1": (-1, 1, -1, -0.41934, *_EAR_LEVEL),
    "ZM2L": (-1, -0.75806, -0.41934, 0.83871, *_EAR_LEVEL),
    "ZM2R": (0.75806, 1, -0.41934, 0.83871, *_EAR_LEVEL),
    "ZM3L": (-1, -0.16129, 0.5, 1, *_EAR_LEVEL),
    "ZM3Lss": (-1, -0.51611, -0.707, 0.49999, *_EAR_LEVEL),
    "ZM3R": (0.16129, 1, 0.5, 1, *_EAR_LEVEL),
    "ZM3Rss": (0.51611, 1, -0.707, 0.49999, *_EAR_LEVEL),
    "ZM4": (-1, 1, -1, 0.83871, *_EAR_LEVEL),
    "ZM5": (-1, 1, 0.5, 1, *_EAR_LEVEL),
    "ZB": (-1, 1, -1, 1, -1, -0.4995),
    "ZT": (-1, 1, -1, 1, 0.4995, 1),
}
# The profile writes bounds with five decimals.
_ROUNDING = 1e-5


@rule(
    Form,
    "zone_exclusion_malformed",
    spec=_PROFILE,
    fix="Put into zoneExclusion one zone element for each excluded zone, and nothing else.",
)
def zone_exclusion_malformed(form: Form, _: Profile) -> Iterator[Finding]:
    """An exclusion excludes at least one zone."""
    for exclusion in _exclusions(form):
        names = [child.name for child in exclusion.children]
        if set(names) != {"zone"}:
            yield Finding(
                detail="The zoneExclusion does not consist of zones.",
                measured=", ".join(names) or "nothing",
                allowed="zone elements",
            )


@rule(
    Form,
    "zone_unknown",
    spec=_PROFILE,
    fix="Name one of the profile's zones: ZM1 to ZM5 with their sides, ZB or ZT.",
)
def zone_unknown(form: Form, _: Profile) -> Iterator[Finding]:
    """Renderers know the profile's zones only."""
    for zone in _zones(form):
        if zone.text not in _ZONES:
            yield Finding(
                detail="The profile has no zone of this name.",
                measured=zone.text or "no name",
                allowed=", ".join(_ZONES),
            )


@rule(
    Form,
    "zone_bounds_wrong",
    spec=_PROFILE,
    fix="Write the six bounds that the profile gives for the zone's name, and no other attribute.",
)
def zone_bounds_wrong(form: Form, _: Profile) -> Iterator[Finding]:
    """The name and the bounds of a zone say the same, so that every renderer excludes the same."""
    for zone in _zones(form):
        right = _ZONES.get(zone.text)
        if right and not _is_bounded(zone, right):
            yield Finding(
                detail=f"The bounds are not those of the zone {zone.text}.",
                measured=_shown(zone.attributes),
                allowed=_shown(dict(zip(_BOUNDS, map(str, right), strict=True))),
            )


def _exclusions(form: Form) -> list[Node]:
    return form.all("zoneExclusion") if form.kind == OBJECTS else []


def _zones(form: Form) -> Iterator[Node]:
    for exclusion in _exclusions(form):
        yield from exclusion.all("zone")


def _is_bounded(zone: Node, right: tuple[float, ...]) -> bool:
    if set(zone.attributes) != set(_BOUNDS):
        return False
    try:
        stated = [float(zone.attributes[name]) for name in _BOUNDS]
    except ValueError:
        return False
    return all(abs(a - b) <= _ROUNDING for a, b in zip(stated, right, strict=True))


def _shown(bounds: dict[str, str]) -> str:
    return " ".join(f"{name} {value}" for name, value in bounds.items())
