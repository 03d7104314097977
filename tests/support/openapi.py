"""What schemathesis finds when it plays a description against the server that gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import schemathesis
from schemathesis.engine import Status, events, from_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

# 422 is a document in the right form with values that the core refuses, 412 a condition that does
# not hold: generated values do not know what is stored. The other statuses are the tool's own.
_ACCEPTED = ["2xx", "304", "401", "403", "404", "409", "412", "422"]


def findings(url: str, document: dict[str, Any], token: str, examples: int) -> list[str]:
    """Everything that any check of any phase objects to, with this many examples an operation."""
    config = schemathesis.Config.from_dict(
        {
            "headers": {"Authorization": f"Bearer {token}"},
            "continue-on-failure": True,
            "generation": {"max-examples": examples, "deterministic": True, "no-shrink": True},
            "checks": {"positive_data_acceptance": {"expected-statuses": _ACCEPTED}},
            "operations": [
                # Streams have no end to wait for.
                {"include-path-regex": "/events$", "enabled": False},
                # Its documents are made of those of the other routes, where every corner is tried.
                {
                    "include-path-regex": "/operations$",
                    "phases": {"coverage": {"enabled": False}},
                },
            ],
        }
    )
    schema = schemathesis.openapi.from_dict(_without_cursors(document), config=config)
    schema.config.update(base_url=url)
    return [text for event in from_schema(schema).execute() for text in _objections(event)]


def _without_cursors(document: dict[str, Any]) -> dict[str, Any]:
    """Cursors are taken from answers; none can be made up."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["parameters"] = [
                each
                for each in operation["parameters"]
                if each["name"] not in {"page[after]", "page[before]"}
            ]
    return document


def _objections(event: events.EngineEvent) -> Iterator[str]:
    if isinstance(event, events.NonFatalError | events.FatalError):
        yield str(event)
    if isinstance(event, events.ScenarioFinished) and event.status is Status.FAILURE:
        for checks in event.recorder.checks.values():
            for check in checks:
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    yield f"{event.label}: {failure.title}: {failure.message}"
