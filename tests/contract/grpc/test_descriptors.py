"""The contract against the rules of Google's API improvement proposals (AIP), read from protoc."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc_tools
import pytest
from google.api import annotations_pb2, client_pb2, field_behavior_pb2, resource_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)
from grpc_tools import protoc

if TYPE_CHECKING:
    from collections.abc import Iterator

PROTO = Path(__file__).parents[3] / "proto"
OURS = "stagedoor/"
PUBLIC = ".stagedoor.v1."
TIMESTAMP = ".google.protobuf.Timestamp"
REPEATED = FieldDescriptorProto.LABEL_REPEATED
BEHAVIOR = field_behavior_pb2.FieldBehavior
COLLECTED = (
    *("ImportTask", "Record", "AuditEntry", "Subscription", "Delivery"),
    *("Upload", "UploadSession"),
    *("PublishJob", "Publication", "Rendition", "UploadTrack", "Job"),
    *("Distributor", "Product", "Track", "Video", "AssetAttachment", "Collection", "Creator"),
)
REFERENCES = {"import_task", "record", "track", "target", "distributor", "product", "collection"}
REFERENCES |= {"source_upload", "upload", "creator", "upload_session"}
SINGLETONS = {
    "Settings": ["settings"],
    "ValidationReport": [
        "importTasks/{import_task}/validationReport",
        "records/{record}/validationReport",
    ],
}
"""Resources of which there is one, by itself or below another (AIP-156), with their names."""
BELOW = {"Delivery": "subscriptions/{subscription}/"}
"""What the names of resources begin with that are children of others."""
UNCHANGING = {"UploadSession"}
"""Resources that never change: there is nothing to guard against (AIP-154)."""
STANDARD = ("List", "Get", "Create", "Update", "Delete")
# Words of the inside: they must not be seen in the public contract.
INTERNAL = re.compile(r"(?<!^request)_id$|_at$|tenant|blob|claim|lease|run_|due|published")


def build(folder: Path) -> list[FileDescriptorProto]:
    out = folder / "contract.bin"
    files = sorted(str(file.relative_to(PROTO)) for file in (PROTO / OURS).rglob("*.proto"))
    bundled = Path(grpc_tools.__file__).parent / "_proto"
    includes = [f"-I{path}" for path in (PROTO, PROTO / "third_party", bundled)]
    flags = ["--include_imports", "--include_source_info", f"--descriptor_set_out={out}"]
    assert protoc.main(["protoc", *includes, *flags, *files]) == 0
    everything = FileDescriptorSet.FromString(out.read_bytes())
    return [file for file in everything.file if file.name.startswith(OURS)]


class Contract:
    """The files, flattened."""

    def __init__(self, files: list[FileDescriptorProto]) -> None:
        self.files = files
        self.messages: dict[str, DescriptorProto] = {}
        self.enums: dict[str, EnumDescriptorProto] = {}
        for file in files:
            self.add(f".{file.package}", file.message_type, file.enum_type)

    def add(self, scope: str, messages: Any, enums: Any) -> None:
        for enum in enums:
            self.enums[f"{scope}.{enum.name}"] = enum
        for message in messages:
            if message.options.map_entry:  # made by the compiler, not written
                continue
            name = f"{scope}.{message.name}"
            self.messages[name] = message
            self.add(name, message.nested_type, message.enum_type)

    @property
    def public(self) -> dict[str, DescriptorProto]:
        """The messages of stagedoor.v1."""
        return {name: each for name, each in self.messages.items() if name.startswith(PUBLIC)}

    @property
    def methods(self) -> Iterator[MethodDescriptorProto]:
        """Every method."""
        for file in self.files:
            for service in file.service:
                yield from service.method

    @property
    def resources(self) -> dict[str, DescriptorProto]:
        """The messages that are resources, by name."""
        return {
            name: each
            for name, each in self.messages.items()
            if each.options.HasExtension(resource_pb2.resource)
        }

    def request(self, method: MethodDescriptorProto) -> dict[str, FieldDescriptorProto]:
        """The fields of a method's request."""
        return {field.name: field for field in self.messages[method.input_type].field}


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    """The contract as it is on disk."""
    return Contract(build(tmp_path_factory.mktemp("descriptors")))


# Custom methods of a whole collection (AIP-136, AIP-231) and the verbs of their paths.
COLLECTION_WIDE = {
    "BatchCreateImportTasks": "batchCreate",
    "WatchImportTasks": "watch",
    "EnsureDefaultPublishJob": "ensureDefault",
    "ImportPublication": "import",
}
# Those that make something else of one resource.
MADE_OF_ONE = {
    "GenerateDownloadLink": "generateDownloadLink",
    "GenerateRenditionLink": "generateDownloadLink",
    "RotateSubscriptionSecret": "rotateSecret",
    "AddTrack": "addTrack",
}
# Those that answer with something else than their name says.
ANSWERS = {
    "RotateSubscriptionSecret": "Subscription",
    "PingSubscription": "Delivery",
    "GenerateRenditionLink": "DownloadLink",
    "EnsureDefaultPublishJob": "PublishJob",
    "ImportPublication": "Publication",
    "AddTrack": "AddTrackResponse",
}


def behaviors(field: FieldDescriptorProto) -> set[int]:
    return set(field.options.Extensions[field_behavior_pb2.field_behavior])


def reference(field: FieldDescriptorProto) -> str:
    found: str = field.options.Extensions[resource_pb2.resource_reference].type
    return found


def http(method: MethodDescriptorProto) -> tuple[str, str, str]:
    rule = method.options.Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return verb, getattr(rule, verb), rule.body


def noun(method: MethodDescriptorProto) -> str:
    name: str = re.sub("^[A-Z][a-z]+", "", method.name)
    return name


def singular(plural: str) -> str:
    return re.sub("ies$", "y", plural).removesuffix("s")


def snake(name: str) -> str:
    return re.sub("(?<!^)(?=[A-Z])", "_", name).lower()


def of_kind(contract: Contract, *verbs: str) -> list[MethodDescriptorProto]:
    found = [method for method in contract.methods if method.name.startswith(verbs)]
    assert found, verbs
    return found


def test_a_resource_has_a_name_and_a_type(contract: Contract) -> None:
    """AIP-122, AIP-123, AIP-203."""
    assert contract.resources.keys() == {f"{PUBLIC}{n}" for n in (*COLLECTED, *SINGLETONS)}
    for name, message in contract.resources.items():
        first = message.field[0]
        assert (first.name, first.number) == ("name", 1), name
        assert behaviors(first) == {BEHAVIOR.Value("IDENTIFIER")}, name
        resource = message.options.Extensions[resource_pb2.resource]
        assert resource.type == f"stagedoor.dev/{message.name}"
        assert resource.singular == message.name[0].lower() + message.name[1:]
        plural = re.sub("ss$", "s", re.sub("ys$", "ies", f"{resource.singular}s"))
        assert resource.plural == plural
        above = BELOW.get(message.name, "")
        usual = [f"{above}{resource.plural}/{{{snake(message.name)}}}"]
        assert list(resource.pattern) == SINGLETONS.get(message.name, usual)


def test_a_resource_tells_when_it_was_made(contract: Contract) -> None:
    """AIP-148; a singleton is never made (AIP-156)."""
    for name, message in contract.resources.items():
        if message.name in SINGLETONS:
            continue
        assert "create_time" in {field.name for field in message.field}, name


def test_what_takes_a_name_says_whose(contract: Contract) -> None:
    """AIP-131, AIP-135, AIP-136."""
    extras = {"Delete": {"etag"}, "Retry": {"etag", "request_id"}}
    for method in of_kind(contract, "Get", "Delete", "Retry", "WatchImportTask"):
        if method.name in COLLECTION_WIDE:
            continue
        fields = contract.request(method)
        more = extras.get(method.name.removesuffix(noun(method)), set())
        if noun(method) in UNCHANGING:
            more = set()
        # It may have children (AIP-135).
        more = more | {"force"} if method.name == "DeleteUpload" else more
        assert fields.keys() == {"name"} | more, method.name
        assert behaviors(fields["name"]) == {BEHAVIOR.Value("REQUIRED")}, method.name
        assert reference(fields["name"]) == f"stagedoor.dev/{noun(method)}"
        assert method.options.Extensions[client_pb2.method_signature] == ["name"]


def test_get_and_delete_are_what_they_are_in_http(contract: Contract) -> None:
    """AIP-131, AIP-135."""
    for method in of_kind(contract, "Get"):
        assert method.output_type == PUBLIC + noun(method)
        assert http(method)[::2] == ("get", "")
    for method in of_kind(contract, "Delete"):
        assert method.output_type == ".google.protobuf.Empty"
        assert http(method)[::2] == ("delete", "")


def test_lists_have_pages(contract: Contract) -> None:
    """AIP-132, AIP-158."""
    for method in of_kind(contract, "List"):
        fields = contract.request(method)
        assert {"page_size", "page_token", "skip", "order_by"} <= fields.keys(), method.name
        parent = fields.pop("parent", None)
        if parent is not None:
            assert behaviors(parent) == {BEHAVIOR.Value("REQUIRED")}, method.name
        assert all(behaviors(f) == {BEHAVIOR.Value("OPTIONAL")} for f in fields.values())
        answer = contract.messages[method.output_type].field
        repeated = [field for field in answer if field.label == REPEATED]
        assert [(f.number, f.type_name) for f in repeated] == [(1, PUBLIC + singular(noun(method)))]
        assert repeated[0].name == snake(noun(method))
        assert (answer[1].name, answer[1].number) == ("next_page_token", 2)
        assert "total_size" in {field.name for field in answer}
        assert http(method)[::2] == ("get", "")


def test_create_takes_and_gives_the_resource(contract: Contract) -> None:
    """AIP-133; ids are given by the server."""
    for method in of_kind(contract, "Create"):
        fields = contract.request(method)
        assert fields.keys() == {snake(noun(method)), "request_id", "validate_only"}
        field = fields[snake(noun(method))]
        assert behaviors(field) == {BEHAVIOR.Value("REQUIRED")}
        assert field.type_name == method.output_type == PUBLIC + noun(method)
        assert http(method)[::2] == ("post", field.name)


def test_update_takes_a_mask(contract: Contract) -> None:
    """AIP-134."""
    for method in of_kind(contract, "Update"):
        fields = contract.request(method)
        is_one = noun(method) in SINGLETONS
        more = set() if is_one else {"validate_only"}
        assert fields.keys() == {snake(noun(method)), "update_mask"} | more
        resource, mask = fields[snake(noun(method))], fields["update_mask"]
        assert behaviors(resource) == {BEHAVIOR.Value("REQUIRED")}
        assert resource.type_name == method.output_type == PUBLIC + noun(method)
        assert mask.type_name == ".google.protobuf.FieldMask"
        assert behaviors(mask) == {BEHAVIOR.Value("OPTIONAL")}
        verb, path, body = http(method)
        assert (verb, body) == ("patch", resource.name)
        assert path.startswith(f"/v1/{{{resource.name}.name=")


def test_custom_methods_have_a_verb(contract: Contract) -> None:
    """AIP-136: POST with everything in the body; one that only reads may be a GET."""
    custom = [method for method in contract.methods if not method.name.startswith(STANDARD)]
    names = {"RetryImportTask", "WatchImportTask", "PingSubscription", "ReplayDelivery"}
    names |= {"RunPublishJob", "KeepUpload"}
    assert {method.name for method in custom} == names | {*MADE_OF_ONE, *COLLECTION_WIDE}
    for method in custom:
        verb, path, body = http(method)
        own = method.name.removesuffix(noun(method)).lower()
        verbs = COLLECTION_WIDE | MADE_OF_ONE
        assert path.endswith(f":{verbs.get(method.name, own)}"), method.name
        assert (verb, body) == (("get", "") if method.server_streaming else ("post", "*"))
        usual = f"{method.name}Response" if method.name in COLLECTION_WIDE else noun(method)
        answer = ANSWERS.get(method.name, usual)
        assert method.output_type == PUBLIC + answer


def test_a_batch_holds_the_requests_that_it_stands_for(contract: Contract) -> None:
    """AIP-231, AIP-233."""
    for method in of_kind(contract, "Batch"):
        fields = contract.request(method)
        assert fields.keys() == {"requests", "request_id", "validate_only"}
        one = singular(method.name.removeprefix("Batch"))
        assert fields["requests"].type_name == f"{PUBLIC}{one}Request"
        assert fields["requests"].label == REPEATED
        assert behaviors(fields["requests"]) == {BEHAVIOR.Value("REQUIRED")}
        [answer] = contract.messages[method.output_type].field
        assert (answer.number, answer.label) == (1, REPEATED)


def test_what_can_be_changed_has_an_etag(contract: Contract) -> None:
    """AIP-154."""
    for method in of_kind(contract, "Update"):
        etag = next(f for f in contract.messages[method.output_type].field if f.name == "etag")
        assert behaviors(etag) == {BEHAVIOR.Value("OPTIONAL")}
        assert etag.type == FieldDescriptorProto.TYPE_STRING


def test_every_method_has_a_path_and_a_signature(contract: Contract) -> None:
    """AIP-127, AIP-4232: the path's variables and the signature name fields of the request."""
    for method in contract.methods:
        _, path, _ = http(method)
        assert path.startswith("/v1/"), method.name
        fields = contract.request(method)
        named = re.findall(r"\{([a-z_]+)", path)
        signatures = method.options.Extensions[client_pb2.method_signature]
        # A method without a natural order of arguments has none.
        assert len(signatures) == (method.name not in COLLECTION_WIDE), method.name
        flattened = [field for each in signatures for field in each.split(",") if field]
        for field in (*named, *flattened):
            assert field in fields, f"{method.name}: {field}"


def test_every_field_has_a_behavior(contract: Contract) -> None:
    """AIP-203; responses of lists are exempt."""
    for name, message in contract.public.items():
        if not name.endswith("Response"):
            for field in message.field:
                assert behaviors(field), f"{name}.{field.name}"


def test_states_are_written_by_the_server_only(contract: Contract) -> None:
    """AIP-216."""
    fields = [
        field
        for message in contract.messages.values()
        for field in message.field
        if field.type_name.endswith(".State")
    ]
    assert fields
    for field in fields:
        assert field.name == "state"
        assert behaviors(field) == {BEHAVIOR.Value("OUTPUT_ONLY")}


def test_times_are_named_for_what_happens(contract: Contract) -> None:
    """AIP-142: an imperative verb or a noun, never a past tense, always a Timestamp."""
    for name, message in contract.messages.items():
        for field in message.field:
            is_time = field.name.endswith("_time")
            assert is_time == (field.type_name == TIMESTAMP), f"{name}.{field.name}"
            assert not re.search("ed_time$", field.name), f"{name}.{field.name}"


def test_enums_begin_unspecified_and_carry_their_name(contract: Contract) -> None:
    """AIP-126; the prefix keeps two enums of one message apart."""
    for name, enum in contract.enums.items():
        prefix = snake(enum.name).upper()
        assert (enum.value[0].name, enum.value[0].number) == (f"{prefix}_UNSPECIFIED", 0), name
        assert all(value.name.startswith(f"{prefix}_") for value in enum.value), name


def test_references_lead_to_resources(contract: Contract) -> None:
    """AIP-124."""
    types = {f"stagedoor.dev/{m.name}" for m in contract.resources.values()} | {"*"}
    fields = [field for message in contract.messages.values() for field in message.field]
    named = {reference(field) for field in fields} - {""}
    assert named <= types
    for name, message in contract.resources.items():
        for field in message.field:
            # That of a delivery is an address.
            is_address = field.name == "target" and message.name in {"Subscription", "Delivery"}
            if field.name in REFERENCES and not is_address:
                assert reference(field), f"{name}.{field.name}"


def test_nothing_of_the_inside_is_seen(contract: Contract) -> None:
    for name, message in contract.public.items():
        for field in message.field:
            assert not INTERNAL.search(field.name), f"{name}.{field.name}"


def test_a_file_has_its_service_first(contract: Contract) -> None:
    """AIP-191: one service to a file, named for it, before the messages."""
    for file in contract.files:
        assert len(file.service) <= 1, file.name
        for service in file.service:
            assert Path(file.name).stem == snake(service.name)
            lines = {
                location.path[0]: location.span[0]
                for location in reversed(file.source_code_info.location)
                if len(location.path) == 2
            }
            assert lines[6] < lines[4], file.name


def elements(file: FileDescriptorProto) -> Iterator[tuple[int, ...]]:
    """The path of everything that needs a comment."""

    def inside(path: tuple[int, ...], message: DescriptorProto) -> Iterator[tuple[int, ...]]:
        yield path
        yield from ((*path, 2, n) for n in range(len(message.field)))
        for n, nested in enumerate(message.nested_type):
            if not nested.options.map_entry:
                yield from inside((*path, 3, n), nested)
        for n, enum in enumerate(message.enum_type):
            yield from values((*path, 4, n), enum)

    def values(path: tuple[int, ...], enum: EnumDescriptorProto) -> Iterator[tuple[int, ...]]:
        yield path
        yield from ((*path, 2, n) for n in range(len(enum.value)))

    for n, message in enumerate(file.message_type):
        yield from inside((4, n), message)
    for n, enum in enumerate(file.enum_type):
        yield from values((5, n), enum)
    for n, service in enumerate(file.service):
        yield (6, n)
        yield from ((6, n, 2, m) for m in range(len(service.method)))


def test_everything_has_a_comment(contract: Contract) -> None:
    """AIP-192."""
    for file in contract.files:
        said = {
            tuple(location.path): location.leading_comments.strip()
            for location in file.source_code_info.location
        }
        assert [path for path in elements(file) if not said.get(path)] == [], file.name
