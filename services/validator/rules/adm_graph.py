"""The references of a master as a graph, for the rules that follow them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from services.validator.rules.adm_profile import CONTENTS
from shared.adm.model import Adm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.formats.adm_bwf import AdmMaster
    from shared.adm.model import Element


@dataclass(frozen=True, slots=True)
class Graph:
    """Elements by kind and identifier in upper case; every reference leads to one of them."""

    nodes: dict[tuple[str, str], Element]

    def of(self, kind: str) -> list[Element]:
        """Return the elements of one kind, in document order."""
        return [element for (each, _), element in self.nodes.items() if each == kind]

    def follow(self, element: Element, kind: str) -> list[Element]:
        """Return the elements of a kind that an element refers to."""
        return [self.nodes[kind, each.upper()] for each in element.refers_to(kind)]

    def one(self, element: Element, kind: str) -> Element:
        """Return the element of a kind that the profile lets an element refer to exactly once."""
        return self.follow(element, kind)[0]

    def channel_of(self, uid: Element) -> Element:
        """Return the channel that a track carries."""
        stream = self.one(self.one(uid, "audioTrackFormat"), "audioStreamFormat")
        return self.one(stream, "audioChannelFormat")


# Many rules follow the same references.
@lru_cache(maxsize=1)
def whole_graph(master: AdmMaster) -> Graph:
    """Return the graph: an empty one when a reference is missing, too much or leads nowhere.

    Other rules tell that, and what would follow from it need not be told too.
    """
    if not isinstance(master.adm, Adm):
        return Graph({})
    nodes = {(each.kind, each.identifier.upper()): each for each in master.adm}
    if len(nodes) != sum(1 for _ in master.adm):
        return Graph({})
    graph = Graph(nodes)
    return graph if all(_is_whole(graph, element) for element in master.adm) else Graph({})


def references(element: Element) -> Iterator[tuple[str, str]]:
    """Yield kind and identifier of what an element refers to; kinds of other versions left out."""
    return ((kind, identifier) for kind, identifier in element.references if kind in CONTENTS)


def _is_whole(graph: Graph, element: Element) -> bool:
    """Whether an element has the references that it must have, and each leads somewhere, once."""
    targets = [(kind, identifier.upper()) for kind, identifier in references(element)]
    names = [child.name for child in element.children]
    return (
        len(set(targets)) == len(targets)
        and all(target in graph.nodes for target in targets)
        and all(
            fewest <= names.count(name) <= most
            for name, (fewest, most) in CONTENTS[element.kind].children.items()
            if name.endswith("Ref")
        )
    )
