"""Names, masks, filters and page tokens, whatever is in them."""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given, settings
from hypothesis import strategies as st

from services.api.domain.errors import (
    EtagMismatch,
    InvalidFields,
    InvalidQuery,
    RelatedNotFound,
    Violation,
)
from services.api.domain.lifecycle import Status
from services.api.domain.page import Page
from services.api.grpc import filters, masks, names, paging
from services.api.grpc.admission import address_of, bearer
from services.api.grpc.etags import etag_of, expected
from services.api.grpc.options import options
from services.api.grpc.orders import parse_order
from services.api.grpc.paging import cut, total
from services.api.grpc.statuses import field_path
from stagedoor.v1.import_task_service_pb2 import (
    CreateImportTaskRequest,
    GetImportTaskRequest,
    ImportTask,
    ListImportTasksRequest,
)
from stagedoor.v1.track_service_pb2 import ListTracksRequest

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
FIELDS = ("state", "target", "name")
UNTIMED = settings(deadline=None)


@UNTIMED
@given(st.uuids())
def test_a_name_is_read_as_it_was_written(id_: UUID) -> None:
    assert names.parse(names.name_of("tracks", id_), "tracks") == id_
    assert names.parse(names.name_of("tracks", id_).upper(), "tracks") is None
    assert names.parse(f"tracks/{str(id_).upper()}", "tracks") == id_
    assert names.parse(names.name_of("tracks", id_), "records") is None


@pytest.mark.parametrize("id_", [ID.hex, f"{{{ID}}}", ID.urn, f"{ID}\n", f" {ID}", f"/{ID}"])
def test_an_id_in_a_name_has_one_spelling(id_: str) -> None:
    assert names.parse(f"tracks/{id_}", "tracks") is None


@UNTIMED
@given(st.text())
def test_other_text_is_no_name(text: str) -> None:
    assert names.parse(text, "tracks") is None
    with pytest.raises(InvalidFields):
        names.require(text, "tracks")


@UNTIMED
@given(st.text())
def test_any_filter_is_read_or_refused(text: str) -> None:
    refusal = None
    try:
        allowed = filters.parse_filter(text, FIELDS)
    except InvalidQuery as refused:
        refusal = refused
    if refusal is None:
        assert allowed.keys() <= set(FIELDS)
    else:
        assert refusal.parameter == "filter"
        assert len(refusal.detail) < 500


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@UNTIMED
@given(st.lists(st.tuples(st.sampled_from(FIELDS), st.lists(st.text(), min_size=1)), max_size=4))
def test_a_filter_gives_back_its_values(factors: list[tuple[str, list[str]]]) -> None:
    text = " AND ".join(
        " OR ".join(f"{field} = {quoted(value)}" for value in values) for field, values in factors
    )
    expected: dict[str, set[str]] = {}
    for field, values in factors:
        expected[field] = expected.get(field, set(values)) & set(values)
    assert filters.parse_filter(text, FIELDS) == expected


def test_or_joins_conditions_on_one_field_only() -> None:
    with pytest.raises(InvalidQuery, match="one field only"):
        filters.parse_filter("state = PENDING OR name = x", FIELDS)


@pytest.mark.parametrize("text", ["name = (x)", "name = x*", "name = >x", "name = a,b", "name = é"])
def test_what_might_mean_more_is_no_word(text: str) -> None:
    with pytest.raises(InvalidQuery, match="not understood"):
        filters.parse_filter(text, FIELDS)


def test_quoted_words_are_no_operators() -> None:
    assert filters.parse_filter('name = "AND"', FIELDS) == {"name": {"AND"}}


def test_states_are_statuses() -> None:
    wanted = frozenset({Status.PENDING, Status.COMPLETED})
    assert filters.statuses({"PENDING", "STATE_COMPLETED"}) == wanted
    assert filters.statuses(None) is None
    assert filters.statuses(set()) == frozenset()


TIMES = ("create_time", "update_time", "state")


@UNTIMED
@given(st.text(alphabet=string.ascii_letters + string.digits + "-_=", max_size=60))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    request = ListTracksRequest(page_token=text)
    if text:
        with pytest.raises(InvalidQuery):
            cut(request, TIMES, "default", "tracks")
    else:
        assert cut(request, TIMES, "default", "tracks").after is None


@dataclass(frozen=True)
class Item:
    """Something that lists are made of."""

    id: UUID = ID
    updated_at: datetime = datetime(2026, 5, 27, 10, 0, 0, 123456, tzinfo=UTC)
    status: Status = Status.COMPLETED


@UNTIMED
@given(st.uuids(), st.text(), st.text())
def test_a_token_leads_on_in_its_own_list_only(id_: UUID, one: str, other: str) -> None:
    first = cut(ListTracksRequest(page_size=1), TIMES, one, "x")
    token = first.next_token(Page((Item(id_),), 2, more=True))
    request = ListTracksRequest(page_token=token)
    assert cut(request, TIMES, one, "x").after == (id_,)
    for list_ in {(other, "x"), (one + "x", ""), (one,), ("", one + "x")} - {(one, "x")}:
        with pytest.raises(InvalidQuery):
            cut(request, TIMES, *list_)


@UNTIMED
@given(st.uuids(), st.datetimes(timezones=st.just(UTC)), st.sampled_from(Status))
def test_a_token_knows_the_place_in_any_order(id_: UUID, when: datetime, status: Status) -> None:
    item = Item(id_, when, status)
    for order_by, place in {
        "": (id_,),
        "create_time desc": (id_,),
        "update_time desc": (when, id_),
        "state, update_time": (status, when, id_),
    }.items():
        first = cut(ListTracksRequest(order_by=order_by), TIMES)
        request = ListTracksRequest(
            order_by=order_by, page_token=first.next_token(Page((item,), 2, more=True))
        )
        assert cut(request, TIMES).after == place
        request.order_by = "update_time" if order_by != "update_time" else ""
        with pytest.raises(InvalidQuery):
            cut(request, TIMES)


@pytest.mark.parametrize(
    "when",
    [
        "2026-05-27T10:00:00",
        "2026-05-27T10:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_a_token_that_somebody_made_up_and_sealed_is_no_token(when: str) -> None:
    request = ListTracksRequest(order_by="update_time")
    raw = msgspec.msgpack.encode((when, ID))
    request.page_token = paging._sealed(raw, cut(request, TIMES).list_)  # noqa: SLF001 - as a stranger would
    with pytest.raises(InvalidQuery):
        cut(request, TIMES)


def test_no_token_leads_on_from_the_last_page() -> None:
    assert cut(ListTracksRequest(), TIMES).next_token(Page((Item(),), 1)) == ""


def test_an_order_names_fields_once() -> None:
    assert parse_order("", TIMES) == parse_order("  ", TIMES) == ()
    wanted = (("status", False), ("created_at", True))
    assert parse_order(" state ,  create_time   desc ", TIMES) == wanted


@pytest.mark.parametrize(
    "order_by",
    [",", "state,", "title", "state asc", "state DESC", "state desc desc", "state,state desc", "x"],
)
def test_an_order_that_is_not_understood_is_refused(order_by: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse_order(order_by, TIMES)
    assert caught.value.parameter == "order_by"


@UNTIMED
@given(st.text())
def test_any_etag_is_one_of_ours_or_fits_nothing(text: str) -> None:
    version = None
    try:
        version = expected(text)
    except EtagMismatch:
        assert text
    if version is not None:
        assert etag_of(version) == text


@pytest.mark.parametrize("etag", ['W/"1"', "1", '"01"', '"0"', '"-1"', '"1" ', "*", '"1","2"'])
def test_an_etag_has_one_spelling(etag: str) -> None:
    with pytest.raises(EtagMismatch):
        expected(etag)


@pytest.mark.parametrize("key", ["x" * 256, "\n", "é", "a\x00"])
def test_a_request_id_is_short_and_printable(key: str) -> None:
    with pytest.raises(InvalidFields):
        options(CreateImportTaskRequest(request_id=key))
    assert options(CreateImportTaskRequest(request_id="~ x" + "x" * 252)).key


PEERS = (
    ("ipv4:127.0.0.1:5000", "127.0.0.1"),
    ("ipv6:%5B::1%5D:5000", "::1"),
    ("ipv6:[2001:db8::1]:5000", "2001:db8::1"),
    ("unix:/run/x:1", ""),
    ("", ""),
)


@pytest.mark.parametrize(("peer", "address"), PEERS)
def test_a_peer_has_an_address(peer: str, address: str) -> None:
    assert address_of(peer) == address


def test_a_total_fits_its_field() -> None:
    assert total(Page((), 2**40)) == 2**31 - 1


def test_a_mask_names_writable_fields_once() -> None:
    task = ImportTask(name="n", isrc="i", version=3)
    writable = ("isrc", "target")
    for paths, named in {
        (): {"isrc"},
        ("*",): {"isrc", "target"},
        ("target", "target", "version", "progress.done_bytes"): {"target"},
    }.items():
        assert masks.masked(task, FieldMask(paths=paths), writable) == named


def test_every_wrong_path_is_named() -> None:
    with pytest.raises(InvalidFields) as caught:
        masks.masked(ImportTask(), FieldMask(paths=["isrc", "x", "y.z"]), ("isrc",))
    assert [v.detail for v in caught.value.violations] == [
        "There is no field 'x'.",
        "There is no field 'y.z'.",
    ]


def test_a_field_is_found_where_it_is_in_the_request() -> None:
    create, get = CreateImportTaskRequest.DESCRIPTOR, GetImportTaskRequest.DESCRIPTOR
    assert field_path(create, "isrc") == "import_task.isrc"
    assert field_path(get, "name") == "name"
    assert field_path(ListImportTasksRequest.DESCRIPTOR, "page_size") == "page_size"
    assert field_path(get, "isrc") == "isrc"
    assert field_path(None, "isrc") == "isrc"


ENTRIES = (
    (None, None),
    ((), None),
    ((("authorization", "Bearer sd_a_b"),), "sd_a_b"),
    ((("user-agent", "x"), ("authorization", "bearer  sd_a_b ")), "sd_a_b"),
    ((("authorization", "sd_a_b"),), None),
    ((("authorization", "Basic sd_a_b"),), None),
    ((("authorization", "Bearer a"), ("authorization", "Bearer a")), None),
)


@pytest.mark.parametrize(("metadata", "token"), ENTRIES)
def test_a_bearer_token_is_found(metadata: object, token: str | None) -> None:
    assert bearer(metadata) == token


def test_a_refusal_about_a_related_resource_knows_its_field() -> None:
    refusal = RelatedNotFound("target", "tracks", ID)
    assert field_path(CreateImportTaskRequest.DESCRIPTOR, refusal.field) == "import_task.target"
    assert InvalidFields(Violation("isrc", "taken", "x")).reason == "ISRC_TAKEN"
