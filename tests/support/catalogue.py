"""The nouns of the catalogue as clients know them, written down by hand, and one of each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf import message_factory

from services.api.domain.nouns import BY_COLLECTION
from services.api.domain.task import Target
from services.api.grpc.catalogue import SERVICES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from uuid import UUID

    from services.api.domain.principal import Principal
    from tests.support.core import Core
    from tests.support.door import Door, Metadata


@dataclass(frozen=True)
class Noun:
    """One noun: its name in the contract, its JSON:API type, and what it refers to by field.

    ``title`` is the field that every new one needs, as (gRPC, JSON:API).
    """

    name: str
    type: str
    title: tuple[str, str] = ("title", "title")
    references: Mapping[str, str] = field(default_factory=dict)
    scope: str = "catalogue"
    has_support_number: bool = False

    @property
    def collection(self) -> str:
        """What its names begin with."""
        return f"{self.name[0].lower()}{self.name[1:]}s"

    @property
    def snake(self) -> str:
        """The field of a request that holds one."""
        return re.sub("(?<!^)(?=[A-Z])", "_", self.name).lower()


_NAMED = ("display_name", "name")
_OF = {"product": "products"}
NOUNS = (
    Noun("Distributor", "distributors", _NAMED),
    Noun("Creator", "creators", _NAMED),
    Noun("Collection", "collections"),
    Noun(
        "Product",
        "products",
        references={"distributor": "distributors"},
        has_support_number=True,
    ),
    Noun(
        "Track",
        "tracks",
        references=_OF | {"collection": "collections"},
        scope="tracks",
        has_support_number=True,
    ),
    Noun("Video", "videos", references=_OF, has_support_number=True),
    Noun("AssetAttachment", "asset-attachments", references=_OF, has_support_number=True),
)
"""Each after what it refers to."""
BY_TYPE = {noun.type: noun for noun in NOUNS}


async def one_of_each(core: Core, who: Principal) -> dict[str, UUID]:
    """An item of each noun, linked to those before it; ids by JSON:API type."""
    made: dict[str, UUID] = {}
    for noun in NOUNS:
        fields: dict[str, object] = {noun.title[0]: f"A {noun.name}"}
        fields |= {name: Target(to, made[to]) for name, to in noun.references.items()}
        items = core.use_cases.catalogue[noun.collection]
        made[noun.type] = (await items.create(who, fields)).id
    assert {noun.collection for noun in NOUNS} == BY_COLLECTION.keys()
    return made


def new_message(noun: Noun, **values: object) -> Any:
    """A noun's message, with a title unless given another."""
    file = SERVICES[noun.name].file
    given = {noun.title[0]: "x"} | values
    return message_factory.GetMessageClass(file.message_types_by_name[noun.name])(**given)


def ask(
    door: Door, noun: Noun, verb: str, who: Metadata | None = None, **values: Any
) -> Awaitable[Any]:
    """Call a method of a noun's service with these fields of its request."""
    name = f"{verb}{noun.name}{'s' if verb == 'List' else ''}"
    method = SERVICES[noun.name].methods_by_name[name]
    request = message_factory.GetMessageClass(method.input_type)(**values)
    call: Any = door.channel.unary_unary(
        f"/stagedoor.v1.{noun.name}Service/{name}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
    answer: Awaitable[Any] = call(request, metadata=who or door.admin)
    return answer
