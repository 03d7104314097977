"""Resource names (AIP-122): a collection and a UUID in its canonical form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.api.domain.errors import InvalidFields, Violation
from services.api.domain.nouns import TARGETS
from services.api.domain.task import Target

if TYPE_CHECKING:
    from collections.abc import Iterable

IMPORT_TASKS: Final = "importTasks"
RECORDS: Final = "records"
PUBLISH_JOBS: Final = "publishJobs"
PUBLICATIONS: Final = "publications"
RENDITIONS: Final = "renditions"
SUBSCRIPTIONS: Final = "subscriptions"
DELIVERIES: Final = "deliveries"
AUDIT_ENTRIES: Final = "auditEntries"
SETTINGS: Final = "settings"
UPLOADS: Final = "uploads"
UPLOAD_SESSIONS: Final = "uploadSessions"
UPLOAD_TRACKS: Final = "uploadTracks"
JOBS: Final = "jobs"
REPORT: Final = "validationReport"


def name_of(collection: str, id_: UUID) -> str:
    """The name of a resource, as ``importTasks/{uuid}``."""
    return f"{collection}/{id_}"


def report_of(collection: str, id_: UUID) -> str:
    """The name of a resource's validation report, as ``importTasks/{uuid}/validationReport``."""
    return f"{name_of(collection, id_)}/{REPORT}"


def delivery_of(subscription: UUID, id_: UUID) -> str:
    """The name of a delivery, as ``subscriptions/{uuid}/deliveries/{uuid}``."""
    return f"{name_of(SUBSCRIPTIONS, subscription)}/{name_of(DELIVERIES, id_)}"


def parse(name: str, collection: str) -> UUID | None:
    """The id in a name of this collection; None if it is no such name."""
    prefix, _, rest = name.partition("/")
    try:
        id_ = UUID(rest)
    except ValueError:
        return None
    # UUID() also reads braces, "urn:uuid:" and missing hyphens: names have one spelling only.
    return id_ if prefix == collection and str(id_) == rest.lower() else None


def parse_any(name: str, collections: Iterable[str]) -> Target | None:
    """What a name of one of these collections leads to; None if it is no such name."""
    found = ((each, parse(name, each)) for each in collections)
    return next((Target(each, id_) for each, id_ in found if id_), None)


def require_settings(name: str) -> None:
    """Raise InvalidFields unless this is the name of the settings, which there are once."""
    if name != SETTINGS:
        raise InvalidFields(Violation("name", "invalid", f"The name must be {SETTINGS}."))


def require_report(name: str) -> tuple[str, UUID]:
    """The collection and the id in the name of a validation report; raises InvalidFields."""
    resource, _, report = name.rpartition("/")
    for collection in (IMPORT_TASKS, RECORDS):
        if report == REPORT and (id_ := parse(resource, collection)):
            return collection, id_
    if not name:
        raise InvalidFields(Violation("name", "required", "The name is required."))
    detail = f"The name must look like {IMPORT_TASKS}/{{uuid}}/{REPORT} or {RECORDS}/{{uuid}}/…."
    raise InvalidFields(Violation("name", "invalid", detail))


def require_delivery(name: str) -> tuple[UUID, UUID]:
    """The ids of the subscription and the delivery in a name; raises InvalidFields."""
    above, _, below = name.partition(f"/{DELIVERIES}/")
    subscription, id_ = parse(above, SUBSCRIPTIONS), parse(f"{DELIVERIES}/{below}", DELIVERIES)
    if subscription and id_:
        return subscription, id_
    if not name:
        raise InvalidFields(Violation("name", "required", "The name is required."))
    detail = f"The name must look like {SUBSCRIPTIONS}/{{uuid}}/{DELIVERIES}/{{uuid}}."
    raise InvalidFields(Violation("name", "invalid", detail))


def require_target(name: str, field: str) -> Target:
    """What masters can be imported for; raises InvalidFields about ``field`` if it is none."""
    target = parse_any(name, TARGETS)
    if target is None:
        names = ", ".join(f"{collection}/{{uuid}}" for collection in TARGETS)
        detail = f"The {field} must look like one of {names}."
        raise InvalidFields(Violation(field, "invalid", detail))
    return target


def require(name: str, collection: str, field: str = "name") -> UUID:
    """The id in a name; raises InvalidFields about ``field`` if it is none."""
    if id_ := parse(name, collection):
        return id_
    if not name:
        raise InvalidFields(Violation(field, "required", f"The {field} is required."))
    detail = f"The {field} must look like {collection}/{{uuid}}."
    raise InvalidFields(Violation(field, "invalid", detail))
