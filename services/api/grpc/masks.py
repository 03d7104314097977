"""Which fields a request writes (AIP-134, AIP-161)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from google.protobuf.field_mask_pb2 import FieldMask

from services.api.domain.errors import InvalidFields, Violation

if TYPE_CHECKING:
    from collections.abc import Collection

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

ALL: Final = "*"
_FIELD: Final = "update_mask"


def populated(resource: Message, writable: Collection[str]) -> frozenset[str]:
    """The writable fields that have a value."""
    return frozenset(field.name for field, _ in resource.ListFields()) & frozenset(writable)


def masked(
    resource: Message, mask: FieldMask, writable: Collection[str], fixed: Collection[str] = ()
) -> frozenset[str]:
    """The writable fields that an update names.

    An empty mask names the populated ones, ``*`` all; what only the server writes is left out.
    Raises InvalidFields for a path that the resource does not have and for an immutable field.
    """
    if not mask.paths:
        return populated(resource, writable)
    if list(mask.paths) == [ALL]:
        return frozenset(writable)
    if violations := [*_violations(resource, mask, fixed)]:
        raise InvalidFields(*violations)
    return frozenset(mask.paths) & frozenset(writable)


def _violations(resource: Message, mask: FieldMask, fixed: Collection[str]) -> list[Violation]:
    found = []
    type_ = cast("Descriptor", resource.DESCRIPTOR)
    for path in mask.paths:
        if not FieldMask(paths=[path]).IsValidForDescriptor(type_):
            found.append(Violation(_FIELD, "invalid", f"There is no field {path[:100]!r}."))
        elif path in fixed:
            found.append(Violation(_FIELD, "invalid", f"The {path} cannot be changed."))
    return found
