"""The documents of the Atmos facade, by hand, for servers without a library for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

BASE = "http://127.0.0.1/api/v1"
EVERY = f"{BASE}/atmos-import-tasks"
MEDIA_TYPE = "application/vnd.api+json"
DESCRIBED = {"describedby": f"{BASE}/openapi.json"}
JSONAPI = {"version": "1.0"}


def resource(task: Any) -> dict[str, Any]:
    """A task, from an object with the attributes of its row."""
    url = f"{EVERY}/{task.id}"
    return {
        "type": "atmos-import-tasks",
        "id": str(task.id),
        "attributes": {
            "url": task.source_uri,
            "secondaryIsrc": task.isrc,
            "declaredMd5": task.declared_md5,
            "status": task.status,
            "byteSize": task.size_bytes,
            "actualMd5": task.actual_md5,
            "validationErrors": None,
            "createdAt": task.created_at.isoformat(),
            "updatedAt": task.updated_at.isoformat(),
            "deliveryProfile": task.delivery_profile,
        },
        "relationships": {
            name: {"links": {"related": f"{url}/{name}", "self": f"{url}/relationships/{name}"}}
            for name in ("track", "record")
        },
        "links": {"self": url},
        "meta": {
            "progress": None,
            "attempts": task.attempts,
            "generation": task.generation,
            "nextAttemptAt": None,
            "failure": None,
            "warnings": [],
            "validationReport": None,
        },
    }


def single(task: Any) -> dict[str, Any]:
    """The document of one task."""
    data = resource(task)
    return {"data": data, "jsonapi": JSONAPI, "links": {**data["links"], **DESCRIBED}}


def page(tasks: Sequence[Any], number: int, size: int, total: int) -> dict[str, Any]:
    """The document of a page of them."""
    last = max(1, -(-total // size))

    def at(which: int) -> str:
        return f"{EVERY}?{quote('page[number]')}={which}&{quote('page[size]')}={size}"

    return {
        "data": [resource(task) for task in tasks],
        "meta": {
            "page": {
                "currentPage": number,
                "from": (number - 1) * size + 1,
                "lastPage": last,
                "perPage": size,
                "to": (number - 1) * size + len(tasks),
                "total": total,
            }
        },
        "jsonapi": JSONAPI,
        "links": {
            "first": at(1),
            "last": at(last),
            "next": at(number + 1),
            "prev": at(number - 1),
            **DESCRIBED,
        },
    }
