"""The nouns of the catalogue, each a declaration: its fields and what it refers to.

Tables, use cases and doors follow from these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from services.api.domain.catalogue import (
    AssetAttachment,
    Collection,
    Creator,
    Distributor,
    Item,
    Product,
    Track,
    Video,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

I = TypeVar("I", bound=Item)  # noqa: E741 - an item

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")

CATALOGUE: Final = "catalogue"
MAX_TITLE: Final = 255
MAX_SUPPORT_NUMBER: Final = 64
MAX_INDEX: Final = 64
MAX_PATH: Final = 512
MAX_ORGANIZATION_INDEX: Final = 255


class Kind(Enum):
    """What a field's values are."""

    LINE = auto()
    """One line of text, without blanks at its ends."""
    KEY = auto()
    """One line of text, kept as it was given."""
    ISRC = auto()
    SECONDS = auto()
    OBJECT = auto()
    """Metadata: see metadata.py."""


@dataclass(frozen=True, slots=True)
class Field:
    """A value that clients write; ``limit`` is how many characters a text may have."""

    name: str
    kind: Kind
    limit: int = 0
    required: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """That an item may belong to one of another collection."""

    name: str
    to: str

    @property
    def attribute(self) -> str:
        """The item's attribute that has the id."""
        return f"{self.name}_id"


@dataclass(frozen=True, kw_only=True)
class Noun(Generic[I]):
    """One noun: ``collection`` is what its names begin with.

    ``scope`` is what the scopes to read and to write it begin with; ``is_target`` says that masters
    can be imported for it, ``has_cover`` that it can have one.
    """

    collection: str
    type: type[I]
    fields: tuple[Field, ...]
    references: tuple[Reference, ...] = ()
    scope: str = CATALOGUE
    is_target: bool = False
    has_cover: bool = False

    @property
    def reading(self) -> str:
        """The scope to read it."""
        return f"{self.scope}:read"

    @property
    def writing(self) -> str:
        """The scope to write it."""
        return f"{self.scope}:write"

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The fields that a new one needs."""
        return tuple(each.name for each in self.fields if each.required)

    @cached_property
    def words(self) -> str:
        """What one is called in a sentence."""
        return _HUMP.sub(" ", self.type.__name__).lower()


_NAME = Field("display_name", Kind.LINE, MAX_TITLE, required=True)
_TITLE = Field("title", Kind.LINE, MAX_TITLE, required=True)
_SUPPORT_NUMBER = Field("support_number", Kind.LINE, MAX_SUPPORT_NUMBER)
_OF_A_PRODUCT = Reference("product", "products")

DISTRIBUTORS: Final = Noun(collection="distributors", type=Distributor, fields=(_NAME,))
CREATORS: Final = Noun(collection="creators", type=Creator, fields=(_NAME,))
COLLECTIONS: Final = Noun(collection="collections", type=Collection, fields=(_TITLE,))
PRODUCTS: Final = Noun(
    collection="products",
    type=Product,
    fields=(_TITLE, _SUPPORT_NUMBER),
    references=(Reference("distributor", "distributors"),),
    is_target=True,
    has_cover=True,
)
TRACKS: Final = Noun(
    collection="tracks",
    type=Track,
    fields=(
        _TITLE,
        Field("isrc", Kind.ISRC),
        Field("stereo_duration", Kind.SECONDS),
        _SUPPORT_NUMBER,
        Field("index", Kind.KEY, MAX_INDEX),
        Field("path", Kind.KEY, MAX_PATH),
        Field("organization_index", Kind.KEY, MAX_ORGANIZATION_INDEX),
        Field("metadata", Kind.OBJECT),
    ),
    references=(_OF_A_PRODUCT, Reference("collection", "collections")),
    scope="tracks",
    is_target=True,
    has_cover=True,
)
VIDEOS: Final = Noun(
    collection="videos",
    type=Video,
    fields=(_TITLE, _SUPPORT_NUMBER),
    references=(_OF_A_PRODUCT,),
    is_target=True,
)
ASSET_ATTACHMENTS: Final = Noun(
    collection="assetAttachments",
    type=AssetAttachment,
    fields=(_TITLE, _SUPPORT_NUMBER),
    references=(_OF_A_PRODUCT,),
    is_target=True,
)

NOUNS: Final[tuple[Noun[Any], ...]] = (
    DISTRIBUTORS,
    PRODUCTS,
    TRACKS,
    VIDEOS,
    ASSET_ATTACHMENTS,
    COLLECTIONS,
    CREATORS,
)
BY_COLLECTION: Final[Mapping[str, Noun[Any]]] = {each.collection: each for each in NOUNS}
BY_TYPE: Final[Mapping[type[Item], Noun[Any]]] = {each.type: each for each in NOUNS}
TARGETS: Final = tuple(each.collection for each in NOUNS if each.is_target)
"""The collections of what masters can be imported for."""
COVERED: Final = tuple(each.collection for each in NOUNS if each.has_cover)
"""The collections of what can have a cover."""
