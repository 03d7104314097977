"""The reference as one page of HTML that needs nothing besides itself: no script, no other host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from lxml import etree

from services.api.http.openapi.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from services.api.http.openapi.schemas import Json

    Element = etree._Element  # noqa: SLF001 - the name that its type stubs have for it
    Content = str | Element

_SCHEMA_PREFIX = "#/components/schemas/"


def render(document: Json, address: str) -> bytes:
    """The page of an OpenAPI document that is served at this address."""
    info = document["info"]
    root = _tag(
        "html",
        _tag(
            "head",
            _tag("meta", charset="utf-8"),
            _tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            _tag("title", info["title"]),
            _tag("style", STYLE),
        ),
        _tag(
            "body",
            _tag("h1", f"{info['title']} {info['version']}"),
            _tag("p", info["description"]),
            _tag("p", "For machines: ", _tag("a", address, href=address)),
            _tag("nav", _tag("ul", *_contents(document))),
            _tag("main", *_operations(document), _tag("h2", "Schemas"), *_schemas(document)),
        ),
        lang="en",
    )
    return etree.tostring(root, doctype="<!DOCTYPE html>", method="html", encoding="utf-8")


def _each(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, operation


def _contents(document: Json) -> Iterator[Element]:
    for _, _, operation in _each(document):
        yield _tag("li", _tag("a", operation["summary"], href=f"#{operation['operationId']}"))


def _operations(document: Json) -> Iterator[Element]:
    for method, path, operation in _each(document):
        yield _tag(
            "section",
            _tag("h3", operation["summary"], id=operation["operationId"]),
            _tag("p", _tag("code", f"{method} {document['servers'][0]['url']}{path}")),
            *_parameters(operation["parameters"]),
            *_request(operation),
            *_responses(document, operation["responses"]),
        )


def _parameters(parameters: list[Json]) -> Iterator[Element]:
    if parameters:
        rows = [
            (_tag("code", each["name"]), each["in"], each["description"], _values(each["schema"]))
            for each in parameters
        ]
        yield _table(("Parameter", "In", "Meaning", "Value"), rows)


def _values(schema: Json) -> str:
    """What a parameter takes, in a few words."""
    if schema["type"] == "array":
        listed = ", ".join(schema["items"].get("enum", ()))
        return f"list of {listed}" if listed else "list"
    words = [str(schema.get("format", schema["type"]))]
    words += [
        f"{name} {schema[name]}" for name in ("minimum", "maximum", "default") if name in schema
    ]
    return ", ".join(words)


def _request(operation: Json) -> Iterator[Element]:
    for type_, content in operation.get("requestBody", {}).get("content", {}).items():
        yield _tag("h4", "Request")
        yield from _content(type_, content)


def _responses(document: Json, responses: Json) -> Iterator[Element]:
    yield _tag("h4", "Responses")
    described = {status: _resolved(document, each) for status, each in responses.items()}
    rows = [(status, each["description"]) for status, each in described.items()]
    yield _table(("Status", "Meaning"), rows)
    for status, response in described.items():
        if status.startswith("2"):
            for type_, content in response.get("content", {}).items():
                yield from _content(type_, content)


def _resolved(document: Json, response: Json) -> Json:
    reference = response.get("$ref")
    if reference is None:
        return response
    found: Json = document["components"]["responses"][reference.rpartition("/")[2]]
    return found


def _content(type_: str, content: Json) -> Iterator[Element]:
    reference = content["schema"].get("$ref", "")
    name = reference.removeprefix(_SCHEMA_PREFIX)
    yield _tag(
        "p", _tag("code", type_), *((", ", _tag("a", name, href=f"#schema-{name}")) if name else ())
    )
    if "example" in content:
        yield _json(content["example"])


def _schemas(document: Json) -> Iterator[Element]:
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield _tag("section", _tag("h3", name, id=f"schema-{name}"), _json(schema))


def _json(value: object) -> Element:
    return _tag("pre", msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _table(head: Sequence[Content], rows: Iterable[Sequence[Content]]) -> Element:
    return _tag("table", _row("th", head), *(_row("td", cells) for cells in rows))


def _row(tag: str, cells: Sequence[Content]) -> Element:
    return _tag("tr", *(_tag(tag, cell) for cell in cells))


def _tag(tag: str, *content: Content, **attributes: str) -> Element:
    """An element; text in it is escaped when the page is written."""
    element = etree.Element(tag, attributes)
    for each in content:
        if not isinstance(each, str):
            element.append(each)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + each
        else:
            element.text = (element.text or "") + each
    return element
