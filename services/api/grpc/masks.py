"""Which fields a request writes (AIP-134, AIP-161)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from google.protobuf.field_mask_pb2 import FieldMask

from services.api.domain.errors import InvalidFields, Violation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

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
    fixed: Mapping[str, Any] | None = None,
) -> frozenset[str]:
    """The writable fields that an update names.

    An empty mask names the populated ones, ``*`` all; what only the server writes is left out.
    ``fixed`` has the values of the immutable fields, which may be sent but not changed (AIP-203).
    Raises InvalidFields for that and for a path that the resource does not have.
    """
    is_whole = list(mask.paths) in ([], [ALL])
    violations = [] if is_whole else [*_unknown(resource, mask)]
    fixed = fixed or {}
    violations += _changes(resource, populated(resource, fixed) if is_whole else mask.paths, fixed)
    if violations:
        raise InvalidFields(*violations)
    if not mask.paths:
        return populated(resource, writable)
    return frozenset(writable if is_whole else mask.paths) & frozenset(writable)


def _unknown(resource: Message, mask: FieldMask) -> Iterator[Violation]:
    type_ = cast("Descriptor", resource.DESCRIPTOR)
    for path in mask.paths:
        if not FieldMask(paths=[path]).IsValidForDescriptor(type_):
            yield Violation(_FIELD, "invalid", f"There is no field {path[:100]!r}.")


def _changes(
    resource: Message, named: Collection[str], fixed: Mapping[str, Any]
) -> Iterator[Violation]:
    for field, value in fixed.items():
        if field in named and getattr(resource, field) != value:
            yield Violation(field, "invalid", f"The {field} cannot be changed.")
