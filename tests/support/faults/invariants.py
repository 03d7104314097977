"""What must hold of a system at rest, whatever was done to it: I1 to I10.

Each one is a function from the evidence to every violation that it finds. They trust no service:
what the API shows is compared with the rows, the rows with the events, the records with the bytes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from services.api.domain.lifecycle import FAILED, FINAL, PublicationStatus, Status, is_legal
from services.api.domain.task import DOLBY_ATMOS
from shared.bus.roles import Role
from tests.support.faults.evidence import measures, status_of
from tests.support.faults.shapes import DISPATCH_SECONDS, LEASE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from tests.support.faults.evidence import Event, Evidence
    from tests.support.faults.system import System

    Check = Callable[["Case"], Iterator[str]]

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a test's own fault excuses; by default nothing.

    ``orphans``: how many more keys, parts and uploads of killed runs may wait for the scrub's safe
    age. ``dead_letters``: how many more messages may have been put aside. ``events_lost``: the
    broker was wiped, so that only what came after is known. ``strangers``: tasks may be there that
    the ledger does not know. ``log_lines``: what excuses a line of a log that has it in it.
    ``epsilon``: how many seconds recovery may take beyond a lease and a dispatch. Ceilings are of
    each process; ``settle_seconds`` is how long the system may take to come to rest.
    """

    orphans: int = 0
    dead_letters: int = 0
    events_lost: bool = False
    strangers: bool = False
    log_lines: tuple[str, ...] = ()
    epsilon: float = 25.0
    rss_bytes: int = 512 * MIB
    descriptors: int = 256
    settle_seconds: float = 75.0


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged."""

    system: System
    seen: Evidence
    allowed: Allowed

    @property
    def history(self) -> dict[UUID, list[Event]]:
        """The events of each task by version, each once, its deletion last."""
        found: dict[UUID, dict[tuple[int, bool], Event]] = defaultdict(dict)
        for event in self.seen.events:
            found[event.task_id][event.version, event.deleted] = event
        return {id_: [each[key] for key in sorted(each)] for id_, each in found.items()}


def all_final(case: Case) -> Iterator[str]:
    """Nothing is left undone, and the API shows what the row says (P1)."""
    by_id = {row["id"]: row for row in case.seen.tasks}
    for id_, row in by_id.items():
        if row["status"] not in FINAL:
            yield f"{id_} is {row['status']}"
        if row["due_at"] is not None and row["status"] in FINAL:
            yield f"{id_} is {row['status']} and still due"
    for row in case.seen.rows["publications"]:
        if row["status"] in {PublicationStatus.QUEUED, PublicationStatus.PUBLISHING}:
            yield f"publication {row['id']} is {row['status']}"
    for id_, shown in case.seen.shown.items():
        said = shown and (status_of(shown), shown.generation, shown.version)
        is_so = id_ in by_id and tuple(by_id[id_][name] for name in _SHOWN)
        if (said or None) != (is_so or None):
            yield f"{id_} is shown as {said or None}, but its row says {is_so or None}"


_SHOWN = ("status", "generation", "version")


def legal_edges(case: Case) -> Iterator[str]:
    """A status moves along the edges only, a generation one by one and by a user's deed (P2)."""
    deeds = Counter(
        row["resource"].rpartition("/")[2]
        for row in case.seen.rows["audit_log"]
        if row["action"].endswith((".update", ".retry"))
    )
    for id_, events in case.history.items():
        steps = [event for event in events if not event.deleted]
        if steps and steps[0].version == 1 and steps[0].status not in _FIRST:
            yield f"{id_} began as {steps[0].status}"
        for before, after in pairwise(steps):
            if after.version == before.version + 1 and not _is_step(before, after):
                yield f"{id_} went from {_say(before)} to {_say(after)}"
            if after.generation < before.generation:
                yield f"{id_} went back from {_say(before)} to {_say(after)}"
        if steps and steps[-1].generation - 1 > deeds[str(id_)]:
            yield f"{id_} has generation {steps[-1].generation} after {deeds[str(id_)]} changes"


_FIRST = {Status.PENDING, Status.DOWNLOADED}


def _is_step(before: Event, after: Event) -> bool:
    anew = after.generation != before.generation
    if anew:
        return after.generation == before.generation + 1 and after.status == Status.PENDING
    back = after.status == Status.PENDING != before.status
    return not back and is_legal(Status(before.status), Status(after.status))


def _say(event: Event) -> str:
    return f"{event.status} (generation {event.generation}, version {event.version})"


def one_record(case: Case) -> Iterator[str]:
    """One valid record for an ISRC and for a task, and a completed task has its own (P3)."""
    records = case.seen.valid_records
    isrcs = Counter(
        (r["tenant"], r["isrc"]) for r in records if r["isrc"] and r["master_type"] == DOLBY_ATMOS
    )
    yield from (f"{n} valid records have {isrc}" for (_, isrc), n in isrcs.items() if n > 1)
    by_task = Counter(record["task_id"] for record in records)
    yield from (f"{id_} has {n} valid records" for id_, n in by_task.items() if n > 1)
    ids = {record["id"] for record in records}
    for row in case.seen.tasks:
        if row["status"] == Status.COMPLETED and row["record_id"] not in ids:
            yield f"{row['id']} is completed without a valid record"
    tasks = {row["id"]: row for row in case.seen.tasks}
    for record in records:
        if record["task_id"] not in tasks:
            yield f"record {record['id']} is of no task"


def no_stale_effect(case: Case) -> Iterator[str]:
    """What a run that lost its claim did has no effect; a report has its effect once (P4)."""
    applied = Counter(
        said["run"]
        for api in case.system.apis
        for said in api.events("report")
        if said.get("applied") is True
    )
    yield from (
        f"the report of run {run} was applied {n} times" for run, n in applied.items() if n > 1
    )
    records = {record["id"]: record for record in case.seen.valid_records}
    for row in case.seen.tasks:
        key, record = row["blob_key"], records.get(row["record_id"])
        own = f"{row['tenant']}/{row['id']}/{row['generation']}/"
        if key is not None and not key.startswith(own):
            yield f"{row['id']} in generation {row['generation']} has the bytes {key}"
        if record and row["status"] == Status.COMPLETED and record["blob_key"] != key:
            yield f"{row['id']} has the bytes {key}, its record {record['blob_key']}"
    for id_, events in case.history.items():
        yield from _changed_bytes(id_, events)


def _changed_bytes(id_: UUID, events: list[Event]) -> Iterator[str]:
    """Within a generation bytes are downloaded once, and stay what they are."""
    for generation in {event.generation for event in events}:
        known = [e for e in events if e.generation == generation and e.md5 and not e.deleted]
        if len({event.md5 for event in known}) > 1:
            yield f"{id_} changed its bytes in generation {generation}"
        # A user may change the ISRC meanwhile, which is told as one more event of the same status.
        arrivals = pairwise(["", *(event.status for event in known)])
        times = sum(after == Status.DOWNLOADED != before for before, after in arrivals)
        if times > 1:
            yield f"{id_} was downloaded {times} times in generation {generation}"


def true_bytes(case: Case) -> Iterator[str]:
    """The bytes of each valid record and rendition are there, and are what these say (P5)."""
    for record in case.seen.valid_records:
        promised = (record["size_bytes"], record["md5"])
        if (found := case.seen.hashes.get(record["blob_key"])) != promised:
            yield f"the bytes of record {record['id']} are {found}, not {promised}"
    for row in case.seen.rows["renditions"]:
        promised = (row["size_bytes"], row["md5"])
        if (found := case.seen.hashes.get(row["blob_key"])) != promised:
            yield f"the bytes of rendition {row['id']} are {found}, not {promised}"
    for row in case.seen.tasks:
        if row["status"] != Status.COMPLETED:
            continue
        told = case.system.ledger.tasks.get(row["id"])
        served = told.md5 if told and "url" not in told.unsure else ""
        for wanted in (row["declared_md5"], served):
            if wanted and wanted.lower() != row["actual_md5"]:
                yield f"{row['id']} has the MD5 {row['actual_md5']}, not {wanted}"


def told_once(case: Case) -> Iterator[str]:
    """Each change was told, by one event however often it was sent, and nothing else (P6)."""
    for row in case.seen.rows["outbox"]:
        yield f"event {row['id']} ({row['subject']}) was never sent"
    yield from _ambiguous(case.seen.events)
    gone = {row["task_id"]: row for row in case.seen.rows["tombstones"]}
    rows = {row["id"]: row for row in case.seen.tasks}
    history = case.history
    for id_ in history.keys() - rows.keys() - gone.keys():
        yield f"{id_} was told of and never was"
    lost = {*rows, *gone} if case.allowed.events_lost else case.system.untold
    for id_ in rows.keys() - lost:
        yield from _untold(id_, rows[id_]["version"], history.get(id_, []))
    for id_ in gone.keys() - lost:
        if not any(event.deleted for event in history.get(id_, [])):
            yield f"{id_} was deleted and nobody was told"
    for id_, row in rows.items():
        last = next((e for e in history.get(id_, []) if e.version == row["version"]), None)
        if last and (last.status, last.generation) != (row["status"], row["generation"]):
            yield f"{id_} was told to be {_say(last)}, but it is {row['status']}"


def _ambiguous(events: list[Event]) -> Iterator[str]:
    ids: dict[tuple[UUID, int, bool], set[str]] = defaultdict(set)
    said: dict[str, set[bytes]] = defaultdict(set)
    for event in events:
        ids[event.task_id, event.version, event.deleted].add(event.id)
        said[event.id].add(event.payload)
    for (id_, version, _), several in ids.items():
        if len(several) > 1:
            yield f"version {version} of {id_} was told by {len(several)} events"
    for event_id, payloads in said.items():
        if len(payloads) > 1:
            yield f"event {event_id} says {len(payloads)} different things"


def _untold(id_: UUID, version: int, events: list[Event]) -> Iterator[str]:
    told = {event.version for event in events}
    missing = sorted(set(range(1, version + 1)) - told)
    if missing:
        yield f"versions {missing} of {id_} were never told"
    if told - set(range(1, version + 1)):
        yield f"versions {sorted(told)} of {id_} were told, but it has {version}"


def nothing_left(case: Case) -> Iterator[str]:
    """No bytes that nothing names, no claim, no message and no child is left behind (P12)."""
    seen = case.seen
    for row in (*seen.tasks, *seen.rows["publications"]):
        if row["run_id"] is not None:
            yield f"{row['id']} is still claimed by {row['run_id']} until {row['lease_until']}"
    yield from (f"{row['blob_key']} is doomed and not deleted" for row in seen.rows["doomed_blobs"])
    named = {row["blob_key"] for row in seen.tasks if row["status"] not in FAILED}
    named |= {record["blob_key"] for record in seen.valid_records}
    named |= {rendition["blob_key"] for rendition in seen.rows["renditions"]}
    orphans = [f"nothing names the bytes {key}" for key in sorted(seen.keys - named)]
    # A part is listed by the store under its key, so it has been counted there.
    orphans += [f"left behind: {one}" for one in seen.leftovers if not one.startswith("part ")]
    if len(orphans) > case.system.orphans:
        yield from orphans
    letters = seen.rows["dead_letters"]
    if len(letters) > case.system.dead_letters:
        yield from (f"dead letter {row['subject']}: {row['reason']}" for row in letters)
    yield from (f"{n} messages are in {stream}" for stream, n in seen.waiting.items() if n)
    yield from (
        f"{n} messages of {name} are not acknowledged" for name, n in seen.unacked.items() if n
    )
    yield from (f"{name} has the children {pids}" for name, pids in seen.children.items() if pids)


def kept_promises(case: Case) -> Iterator[str]:
    """Every 2xx that a client saw is in the database, and each request was done once (P1)."""
    rows = {row["id"]: row for row in case.seen.tasks}
    for id_, told in case.system.ledger.tasks.items():
        row = rows.get(id_)
        if told.deleted and row is not None:
            yield f"{id_} was deleted and is {row['status']}"
        if told.deleted or "deleted" in told.unsure:
            continue
        if row is None:
            yield f"{id_} was answered with 201 and is gone"
            continue
        for name, value in told.attributes.items():
            column = _COLUMNS.get(name)
            if column and name not in told.unsure and row[column] != value:
                yield f"{id_} has the {name} {row[column]!r}, but {value!r} was confirmed"
    if not case.allowed.strangers:
        yield from (f"nobody was told of {id_}" for id_ in rows.keys() - case.system.ledger.tasks)


_COLUMNS = {
    "url": "source_uri",
    "secondaryIsrc": "isrc",
    "declaredMd5": "declared_md5",
    "deliveryProfile": "delivery_profile",
}


def bounded(case: Case) -> Iterator[str]:
    """Memory, descriptors and logs stay within bounds; no log has a traceback or a secret (P12)."""
    system, allowed = case.system, case.allowed
    urls = (system.nats_url(role) for role in Role)
    hidden = {system.token, system.secrets_key, *(_password(url) for url in urls)}
    for each in system.services:
        if each.is_running:
            have = measures(each)
            if have["rss"] > allowed.rss_bytes:
                yield f"{each.name} has {have['rss'] // MIB} MiB in memory"
            if have["fds"] > allowed.descriptors:
                yield f"{each.name} has {have['fds']} descriptors"
        for line in each.log(of_all_runs=True).splitlines():
            excused = any(excuse in line for excuse in allowed.log_lines)
            if any(mark in line for mark in _TRACEBACKS) and not excused:
                yield f"{each.name} logged a traceback: {line[:1000]}"
            if any(secret in line for secret in hidden):
                yield f"{each.name} logged a secret"


_TRACEBACKS = ("Traceback (most recent call last)", '"exception":', '"exc_type":')


def _password(url: str) -> str:
    return url.partition("@")[0].rpartition(":")[2]


def recovered_in_time(case: Case) -> Iterator[str]:
    """All is done within a lease and a dispatch after the fault has ended (P7)."""
    ended = case.system.fault_ended_at
    if ended is None:
        return
    took = case.system.ledger.finished_at - ended
    limit = LEASE_SECONDS + DISPATCH_SECONDS + case.allowed.epsilon
    if took > limit:
        yield f"recovery took {took:.1f} s, more than {limit:.1f} s{_last(case)}"


def _last(case: Case) -> str:
    """What the task that was the last to end went through, in seconds before its end."""
    ended = [events for events in case.history.values() if events[-1].status in FINAL]
    if not ended:
        return ""
    slowest = max(ended, key=lambda events: events[-1].time)
    end = slowest[-1].time
    steps = (f"{each.status} {(each.time - end).total_seconds():.1f}" for each in slowest)
    return f"; {slowest[-1].task_id} was the last: {', '.join(steps)}"


INVARIANTS: dict[str, Check] = {
    "I1": all_final,
    "I2": legal_edges,
    "I3": one_record,
    "I4": no_stale_effect,
    "I5": true_bytes,
    "I6": told_once,
    "I7": nothing_left,
    "I8": kept_promises,
    "I9": bounded,
    "I10": recovered_in_time,
}
"""Every invariant by its number."""
