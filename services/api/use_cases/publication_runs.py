"""Runs on publications: what a publisher is given, and what becomes of what it tells."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from random import SystemRandom
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.db import publication_rows, record_rows, rendition_rows
from services.api.domain.publishing import PublicationRules, Rendition, tags_of
from services.api.domain.runs import (
    Decision,
    GoPublish,
    Limits,
    Outcome,
    Published,
    Refused,
    Run,
    Stop,
)
from services.api.use_cases import masters
from services.api.use_cases.covers import cover_for

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from services.api.db.lookups import Ask
    from services.api.db.transactions import Transaction
    from services.api.domain.lifecycle import Stage
    from services.api.domain.publishing import Publication
    from services.api.domain.silence import Silence
    from services.api.use_cases.downloads import Downloads

NO_RECORD = "no_record"
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class PublicationRuns:
    """Publications, as far as runs go."""

    downloads: Downloads

    @staticmethod
    def rules(limits: Limits, trust_silence_from: datetime) -> PublicationRules:
        """The rules of the publish stage."""
        return PublicationRules(limits=limits, trust_silence_from=trust_silence_from)

    # There is nothing that would be looked up for many at once: publications are few.

    @staticmethod
    def locking(_: UUID) -> list[Ask]:
        """Nothing."""
        return []

    @staticmethod
    def claiming(_: Stage, __: UUID) -> list[Ask]:
        """Nothing."""
        return []

    reporting = claiming

    @staticmethod
    def lock(transaction: Transaction, id_: UUID) -> Publication | None:
        """A publication whose row nobody else can change until the commit."""
        return publication_rows.lock(transaction, id_)

    @staticmethod
    def save(
        transaction: Transaction,
        before: Publication,
        after: Publication,
        now: datetime,  # noqa: ARG004 - what only tasks need
    ) -> None:
        """Write what has changed."""
        publication_rows.save(transaction, before, after)

    def start(
        self,
        transaction: Transaction,
        before: Publication,
        after: Publication,
        silence: Silence,  # noqa: ARG002 - what only downloads ask for
        now: datetime,  # noqa: ARG002 - what only tasks need
    ) -> Decision:
        """Let a run go with the record that is valid now; without one it waits for it."""
        connection = transaction.connection
        record = record_rows.valid_of_task(connection, after.task_id)
        if record is None:
            publication_rows.save(transaction, before, replace(before, due_at=None))
            return Stop(NO_RECORD)
        after = replace(after, record_id=record.id)
        publication_rows.save(transaction, before, after)
        cover = cover_for(connection, after.tenant, record.target)
        return GoPublish(
            after,
            record,
            tags_of(after.metadata, record.isrc),
            self.downloads.room(connection, after.tenant),
            "" if cover is None else cover.embedded.blob_key,
        )

    def end(
        self,
        transaction: Transaction,
        before: Publication | None,
        run: Run,
        outcome: Outcome,
        rules: PublicationRules,
    ) -> bool:
        """Apply how a run ended; False when it was stale and changed nothing."""
        now = transaction.now()
        allowed = self._allowed(transaction, before, outcome)
        after = before and rules.report(before, run, allowed, now, _random.random())
        if before is None or after is None:
            if isinstance(outcome, Published):
                # Nobody will ever read what a stale run stored.
                masters.doom(transaction, {each.blob_key for each in outcome.files}, now)
            return False
        publication_rows.save(transaction, before, after)
        if isinstance(outcome, Published):
            self._take_over(transaction, before, after, outcome, now)
        return True

    @staticmethod
    def _take_over(
        transaction: Transaction,
        before: Publication,
        after: Publication,
        outcome: Published,
        now: datetime,
    ) -> None:
        """Put the new files in the place of the old; what nobody names any more is doomed."""
        if not after.problems:
            new = [_rendition(after, asdict(each), now) for each in outcome.files]
            rendition_rows.put(transaction, before, new)
        named = {each.blob_key for each in (*outcome.files, *before.renditions)}
        masters.doom(transaction, named, now)

    def _allowed(
        self, transaction: Transaction, publication: Publication | None, outcome: Outcome
    ) -> Outcome:
        """The outcome, or its refusal where it would store more than the tenant may."""
        if publication is None or not isinstance(outcome, Published):
            return outcome
        size = sum(each.size_bytes for each in outcome.files)
        problem = self.downloads.too_much(transaction, publication.tenant, size)
        return outcome if problem is None else Refused(problems=(problem,))


def _rendition(publication: Publication, file: dict[str, object], now: datetime) -> Rendition:
    return Rendition(
        id=uuid7(),
        tenant=publication.tenant,
        publication_id=publication.id,
        created_at=now,
        **file,  # type: ignore[arg-type] # the fields of a PublishedFile
    )
