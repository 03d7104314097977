"""Requests of every RPC: messages made from their descriptors, and the same with damaged bytes."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

import stagedoor.v1
from tests.fuzz.strategies import TEXTS, damaged

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, MethodDescriptor
    from google.protobuf.message import Message

    from tests.fuzz.http_strategies import World

DEPTH = 3
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
METADATA_KEYS = ("x-request-id", "traceparent", "grpc-timeout-x", "authorization", "user", "a-bin")
Metadata = tuple[tuple[str, str | bytes], ...]

_WHOLE: dict[int, tuple[int, int]] = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def methods() -> list[MethodDescriptor]:
    """Every RPC of the contract, known by its modules so that a new one is not forgotten."""
    modules = (
        importlib.import_module(f"stagedoor.v1.{each.name}")
        for each in pkgutil.iter_modules(stagedoor.v1.__path__)
        if each.name.endswith("_service_pb2")
    )
    services = [s for m in modules for s in m.DESCRIPTOR.services_by_name.values()]
    return [method for service in services for method in service.methods]


# What google.protobuf.Struct can say.
_STRUCTS = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.booleans() | st.floats() | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)
_INT32 = st.integers(*_WHOLE[FieldDescriptor.CPPTYPE_INT32])


@st.composite
def bad_requests(draw: st.DrawFn, world: World) -> tuple[MethodDescriptor, bytes]:
    """An RPC, and bytes for it that are wrong on the wire or in their meaning."""
    method = draw(st.sampled_from(methods()))
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return method, draw(st.binary(max_size=300))
    whole = draw(_messages(method.input_type, world)).SerializeToString()
    return method, draw(damaged(whole)) if kind < 4 else whole


@st.composite
def bad_frames(draw: st.DrawFn) -> bytes:
    """The start of an HTTP/2 connection (RFC 9113, 3.4) and frames of any type, maybe damaged."""
    frames = draw(st.lists(_frames(), max_size=4))
    whole = PREFACE + SETTINGS + b"".join(frames)
    return draw(damaged(whole)) if draw(st.booleans()) else whole


def _frames() -> st.SearchStrategy[bytes]:
    """A frame (RFC 9113, 4.1) whose length is that of its payload."""
    type_, flags, stream = st.integers(0, 12), st.integers(0, 255), st.integers(0, 2**32 - 1)
    return st.builds(_frame, type_, flags, stream, st.binary(max_size=40))


def _frame(type_: int, flags: int, stream: int, payload: bytes) -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([type_, flags]) + stream.to_bytes(4, "big")
    return head + payload


def metadata(token: str) -> st.SearchStrategy[Metadata]:
    """The token and, now and then, entries that nobody asked for."""
    pair = st.sampled_from(METADATA_KEYS).flatmap(_pair)
    return st.lists(pair, max_size=1).map(
        lambda more: (("authorization", f"Bearer {token}"), *more)
    )


def _pair(key: str) -> st.SearchStrategy[tuple[str, str | bytes]]:
    if key.endswith("-bin"):
        return st.tuples(st.just(key), st.binary(max_size=40))
    # What else a client could not send.
    printable = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
    return st.tuples(st.just(key), st.text(printable, max_size=40))


@st.composite
def _messages(draw: st.DrawFn, kind: Descriptor, world: World, depth: int = 0) -> Message:
    message = GetMessageClass(kind)()
    for field in kind.fields:
        if draw(st.booleans()):
            continue
        if field.message_type is not None and depth == DEPTH:
            continue
        _fill(draw, message, field, world, depth)
    return message


def _fill(draw: st.DrawFn, message: Any, field: FieldDescriptor, world: World, depth: int) -> None:
    if field.message_type is None:
        values = _scalars(field, world)
    elif field.message_type.full_name == "google.protobuf.Struct":
        getattr(message, field.name).update(draw(_STRUCTS))
        return
    elif field.message_type.GetOptions().map_entry:
        # Maps of this contract go from texts to texts.
        keys, texts = (_scalars(each, world) for each in field.message_type.fields)
        getattr(message, field.name).update(draw(st.dictionaries(keys, texts, max_size=3)))
        return
    else:
        values = _messages(field.message_type, world, depth + 1)
    if field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(values, max_size=3)))
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(draw(values))
    else:
        setattr(message, field.name, draw(values))


def _scalars(field: FieldDescriptor, world: World) -> st.SearchStrategy[Any]:
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values]) | _INT32
    if field.cpp_type in _WHOLE:
        low, high = _WHOLE[field.cpp_type]
        return st.integers(-2, 5).filter(lambda n: n >= low) | st.integers(low, high)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=40)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        likely = st.sampled_from(_likely(field.name, world))
        return likely | likely | TEXTS
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    return st.floats(allow_nan=True, width=32)


def _likely(name: str, world: World) -> list[str]:
    """Texts that get past the first check of a field with this name."""
    names = [f"importTasks/{world.task}", f"tracks/{world.track}", "importTasks/-", "tracks/"]
    subscription = f"subscriptions/{world.subscription}"
    names += [subscription, f"{subscription}/deliveries/{world.delivery}"]
    names += [f"uploads/{world.upload}", f"uploadSessions/{world.session}"]
    known = {
        "track": [f"tracks/{world.track}"],
        "master_type": ["masterTypes/atmos", "atmos"],
        "source_uri": ["https://cdn.example.com/m.mp4"],
        "isrc": ["USRC12345678"],
        "collection": [f"collections/{world.collection}"],
        "kind": ["master", "cover"],
        "file_name": ["a.wav"],
        "paths": [
            *("source_uri", "isrc", "title", "*", "track", "import_task.isrc"),
            *("target", "event_types", "enabled", "secret"),
        ],
        "order_by": ["create_time desc", "create_time", "state,create_time", "state desc asc"],
        "filter": ['state = "STATE_PENDING"', "state=STATE_PENDING OR", "state:* AND NOT x"],
        "parent": [subscription, "subscriptions/-", "subscriptions/"],
        "target": [f"tracks/{world.track}", "https://hooks.example.com/in", "mailto:a@example.com"],
        "event_types": ["stagedoor.import_task.*", "stagedoor.import_task.completed", "*", ".*"],
        "page_token": ["", "AA", "AAAA"],
    }
    return known.get(name, names)
