"""The HTTP annotations (AIP-127), by transcoding every method as a gateway would and back.

The rules are those of google/api/http.proto: fields of the path, one field or the rest in the body,
what is left in the query.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.json_format import MessageToDict, ParseDict

from services.api.grpc.server import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor, MethodDescriptor
    from google.protobuf.message import Message

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
VARIABLE = re.compile(r"\{([a-z_.]+)=([^{}]+)\}")
WRITES_NOTHING = {"get", "delete"}
SCALAR_MESSAGES = {"google.protobuf.FieldMask", "google.protobuf.Timestamp"}
"""Messages that are one string in JSON, and so can be in a query."""


@dataclass(frozen=True)
class Sent:
    """An HTTP request; ``body`` is what its JSON stands for, None without one."""

    verb: str
    path: str
    query: str
    body: Any


@dataclass(frozen=True)
class Rule:
    """A method and how it is reached over HTTP."""

    method: MethodDescriptor
    verb: str
    template: str
    body: str

    @property
    def variables(self) -> dict[str, str]:
        """The fields in the path, each with the pattern of its value."""
        return dict(VARIABLE.findall(self.template))

    @property
    def pattern(self) -> re.Pattern[str]:
        """What the path must look like; a segment has no slash and, before a verb, no colon."""
        parts = VARIABLE.split(self.template)
        text = ""
        for literal, field, shape in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
            group = re.escape(shape).replace(r"\*", "[^/:]+")
            text += f"{re.escape(literal)}(?P<{field.replace('.', '__')}>{group})"
        return re.compile(text + re.escape(parts[-1]))

    def new_request(self) -> Message:
        """An empty request."""
        return message_factory.GetMessageClass(self.method.input_type)()

    def send(self, request: Message) -> Sent:
        """The HTTP request for this one."""
        left = MessageToDict(request)
        path = VARIABLE.sub(lambda found: taken(left, found[1]), self.template)
        body = None
        if self.body == "*":
            body, left = left, {}
        elif self.body:
            body = left.pop(camel(self.body))
        return Sent(self.verb, path, urlencode(left, doseq=True), body)

    def receive(self, sent: Sent) -> Message:
        """The request in the HTTP request."""
        values: dict[str, Any] = {}
        for name, value in parse_qsl(sent.query):
            values[name] = {"true": True, "True": True}.get(value, value)
        if self.body == "*":
            values = sent.body
        elif self.body:
            values[camel(self.body)] = sent.body
        found = self.pattern.fullmatch(sent.path)
        assert found is not None
        for field, value in found.groupdict().items():
            put(values, field.replace("__", "."), value)
        return ParseDict(values, self.new_request())


def camel(field: str) -> str:
    return re.sub("_([a-z])", lambda found: found[1].upper(), field)


def taken(values: dict[str, Any], path: str) -> str:
    """Take the value of a field out of a message in JSON."""
    *parents, last = map(camel, path.split("."))
    for parent in parents:
        values = values[parent]
    value: str = values.pop(last)
    return value


def put(values: dict[str, Any], path: str, value: str) -> None:
    """Put the value of a field into a message in JSON."""
    *parents, last = map(camel, path.split("."))
    for parent in parents:
        values = values.setdefault(parent, {})
    assert last not in values
    values[last] = value


def rules() -> Iterator[Rule]:
    for service in SERVICES:
        for method in descriptor_pool.Default().FindServiceByName(service).methods:
            options = MethodOptions.FromString(method.GetOptions().SerializeToString())
            first = options.Extensions[annotations_pb2.http]
            for rule in (first, *first.additional_bindings):
                verb = rule.WhichOneof("pattern")
                yield Rule(method, verb, getattr(rule, verb), rule.body)


RULES = list(rules())
EACH = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.method.name)


def field_at(message: Descriptor, path: str) -> FieldDescriptor:
    """The field that a path leads to."""
    *parents, last = path.split(".")
    for parent in parents:
        inner = message.fields_by_name[parent].message_type
        assert inner is not None, path
        message = inner
    return message.fields_by_name[last]


def fill(message: Any, name: str) -> None:
    """Give every field a value, resource names the one that is given; lists have one item."""
    for field in message.DESCRIPTOR.fields:
        type_ = field.message_type
        if type_ is not None and type_.full_name == "google.protobuf.FieldMask":
            getattr(message, field.name).paths.extend(["isrc", "target"])
        elif type_ is not None and type_.full_name == "google.protobuf.Timestamp":
            getattr(message, field.name).FromSeconds(1)
        elif type_ is not None and type_.full_name == "google.protobuf.Struct":
            getattr(message, field.name).update({"a b&c=d/é": ["a b&c=d/é"]})
        elif type_ is not None:
            inner = getattr(message, field.name)
            if type_.GetOptions().map_entry:
                inner["a b&c=d/é"] = "a b&c=d/é"
                continue
            fill(inner.add() if field.is_repeated else inner, name)
        elif field.name in {"name", "parent"}:
            setattr(message, field.name, name)
        elif field.is_repeated:
            getattr(message, field.name).append("a b&c=d/é")
        elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            setattr(message, field.name, "a b&c=d/é")
        else:
            setattr(message, field.name, 1)


def filled(rule: Rule) -> Message:
    """A request with a value in every field."""
    request = rule.new_request()
    shape = next(iter(rule.variables.values()), "importTasks/*")
    fill(request, shape.replace("*", ID))
    return request


def test_the_annotations_are_those_of_all_methods() -> None:
    assert len({rule.method.full_name for rule in RULES}) == 92
    assert len({(rule.verb, rule.template) for rule in RULES}) == len(RULES)


@EACH
def test_a_rule_is_well_formed(rule: Rule) -> None:
    fields = rule.method.input_type
    assert rule.verb in {"get", "post", "patch", "delete"}
    # A collection, a resource of one, one below it, or a singleton, by itself or below (AIP-156).
    name = r"\{[a-z_.]+=\w+(/\*(/\w+(/\*)?)?)?\}(/\w+)?"
    assert re.fullmatch(rf"/v1/(\w+|{name})(:[a-zA-Z]+)?", rule.template)
    for path in rule.variables:
        field = field_at(fields, path)
        assert field.cpp_type == FieldDescriptor.CPPTYPE_STRING
        assert not field.is_repeated
    if rule.verb in WRITES_NOTHING:
        assert not rule.body
    else:
        assert rule.body == "*" or fields.fields_by_name[rule.body].message_type is not None
        assert rule.body


@EACH
def test_the_query_holds_only_what_a_query_can(rule: Rule) -> None:
    in_path = {path.partition(".")[0] for path in rule.variables}
    for field in rule.method.input_type.fields:
        if rule.body == "*" or field.name in in_path | {rule.body}:
            continue
        type_ = field.message_type
        assert type_ is None or type_.full_name in SCALAR_MESSAGES, field.name


@EACH
def test_a_request_comes_back_as_it_went(rule: Rule) -> None:
    request = filled(rule)
    sent = rule.send(request)
    assert rule.receive(sent) == request
    assert (sent.body is None) == (rule.verb in WRITES_NOTHING)


@EACH
def test_a_request_leads_to_one_method(rule: Rule) -> None:
    sent = rule.send(filled(rule))
    found = [r for r in RULES if r.verb == sent.verb and r.pattern.fullmatch(sent.path)]
    assert found == [rule]
