"""Pictures of the room: where the objects go, seen from above and from the side.

They show without the style sheet too: it only gives them the page's colours.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from services.validator.html.markup import Markup, joined, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.validator.report import DynamicObject, Point

_BOX = "-122 -122 244 244"
# Turns that put neighbours far apart on the wheel of colours.
_GOLDEN_DEGREES = 137.508


class View(Enum):
    """From where the room is seen; the value is its name and what is at its left and top."""

    ABOVE = ("above", "left", "front")
    SIDE = ("side", "front", "ceiling")

    def place(self, point: Point) -> str:
        """Return where a point is drawn: right and down are positive, the walls at 100."""
        across, up = (point.x, point.y) if self is View.ABOVE else (-point.y, point.z)
        return f"{round(across * 100)},{round(-up * 100)}"


def rooms(objects: Sequence[DynamicObject]) -> Markup:
    """Draw all objects in one room, then each in its own."""
    moving = [(index, each) for index, each in enumerate(objects) if each.path]
    together = joined(
        _figure(view, joined(_drawn(view, *each) for each in moving)) for view in View
    )
    alone = joined(_alone(index, each) for index, each in moving)
    return joined((tag("div", together, class_="pair"), tag("div", alone, class_="objects")))


def _alone(index: int, each: DynamicObject) -> Markup:
    views = joined(_room(view, tag("use", href=f"#{_reference(view, index)}")) for view in View)
    caption = f"{each.name or each.id}, track {each.track}"
    return tag("figure", tag("div", views, class_="pair"), tag("figcaption", caption))


def _figure(view: View, inner: Markup) -> Markup:
    caption = "All objects from above" if view is View.ABOVE else "All objects from the side"
    return tag("figure", _room(view, inner), tag("figcaption", caption))


def _room(view: View, inner: Markup) -> Markup:
    name, left, top = view.value
    return tag(
        "svg",
        tag("title", f"The room from {'the ' if view is View.SIDE else ''}{name}"),
        tag(
            "rect", class_="wall", fill="none", stroke="gray", x=-100, y=-100, width=200, height=200
        ),
        tag("path", class_="grid", fill="none", stroke="silver", d="M-100 0H100M0 -100V100"),
        tag("text", top, x=0, y=-106, text_anchor="middle"),
        tag("text", left, x=-108, y=0, text_anchor="middle", transform="rotate(-90 -108 0)"),
        inner,
        viewBox=_BOX,
        role="img",
        font_size=11,
    )


def _drawn(view: View, index: int, each: DynamicObject) -> Markup:
    """Draw a path, or a dot for an object that stays where it is."""
    colour = f"hsl({index * _GOLDEN_DEGREES % 360:.0f} 65% 50%)"
    name, places = tag("title", each.name or each.id), [view.place(at) for at in each.path]
    identifier = _reference(view, index)
    if len(set(places)) > 1:
        drawn = {"stroke": colour, "stroke_width": 1.5, "points": " ".join(places)}
        return tag("polyline", name, id=identifier, fill="none", stroke_linejoin="round", **drawn)
    x, y = places[0].split(",")
    return tag("circle", name, id=identifier, fill=colour, cx=x, cy=y, r=4)


def _reference(view: View, index: int) -> str:
    return f"{view.value[0]}-{index}"
