"""Which fields a request writes (AIP-134, AIP-161)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from google.protobuf.field_mask_pb2 import FieldMask

from services.api.domain.errors import InvalidFields, Violation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

ALL: Final = "*"
_FIELD: Final = "update_mask"


def populated(resource: Message, writable: Collection[str]) -> frozenset[str]:
    """The writable fields that have a value."""
    return frozenset(field.name for field, _ in resource.ListFields()) & frozenset(writable)


def masked(
    resource: Message,
    mask: FieldMask,
    writable: Collection[str],
    fixed: Collection[str] = (),
) -> frozenset[str]:
    """The writable fields that an update names.

    An empty mask names the populated ones, ``*`` all; what only the server writes is left out. Of
    the ``fixed`` fields ``*`` names those that are sent: an immutable one may be sent, with the
    value that it has, and one that is input only was not there to be sent back (AIP-203). Raises
    InvalidFields for a path that the resource does not have.
    """
    is_whole = list(mask.paths) in ([], [ALL])
    if not is_whole and (violations := [*_unknown(resource, mask)]):
        raise InvalidFields(*violations)
    if not mask.paths:
        return populated(resource, {*writable, *fixed})
    if is_whole:
        return frozenset(writable) | populated(resource, fixed)
    return frozenset(mask.paths) & {*writable, *fixed}


def _unknown(resource: Message, mask: FieldMask) -> Iterator[Violation]:
    type_ = cast("Descriptor", resource.DESCRIPTOR)
    for path in mask.paths:
        if not FieldMask(paths=[path]).IsValidForDescriptor(type_):
            yield Violation(_FIELD, "invalid", f"There is no field {path[:100]!r}.")
