"""All use cases over one database, built together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from services.api.db import schema
from services.api.db.executor import Executor
from services.api.db.task_rows import EventDescriber, EventEncoder, TaskRows
from services.api.domain.covers import PURPOSE as COVERS
from services.api.domain.errors import Unavailable
from services.api.domain.keeping import Keep
from services.api.domain.links import PURPOSE, Signer
from services.api.domain.nouns import NOUNS, TRACKS
from services.api.domain.storage import Caps
from services.api.domain.uploads import PURPOSE as UPLOADS
from services.api.pictures.reading import Pictures
from services.api.use_cases.appending import Appending
from services.api.use_cases.audit import Audit
from services.api.use_cases.blobs import Blobs
from services.api.use_cases.covers import Covers
from services.api.use_cases.dead_letters import DeadLetters
from services.api.use_cases.deliveries import Deliveries
from services.api.use_cases.dispatch import Dispatch
from services.api.use_cases.downloads import Downloads
from services.api.use_cases.import_tasks import ImportTasks
from services.api.use_cases.items import Items
from services.api.use_cases.jobs import Jobs
from services.api.use_cases.links import Links
from services.api.use_cases.operations import Operations
from services.api.use_cases.outbox import Outbox
from services.api.use_cases.publications import Publications
from services.api.use_cases.publish_jobs import PublishJobs
from services.api.use_cases.receiving import Receiving
from services.api.use_cases.records import Records
from services.api.use_cases.reports import Reports
from services.api.use_cases.retention import Retention
from services.api.use_cases.runs import Runs
from services.api.use_cases.sending import Sending
from services.api.use_cases.settings import TenantSettings
from services.api.use_cases.signing import SigningSecrets
from services.api.use_cases.subscriptions import Subscriptions
from services.api.use_cases.targets import Targets
from services.api.use_cases.tokens import Tokens, Verify
from services.api.use_cases.upload_sessions import UploadSessions
from services.api.use_cases.upload_tracks import UploadTracks
from services.api.use_cases.uploads import Uploads
from services.api.use_cases.vault import Vault
from services.api.use_cases.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from services.api.db.engine import Engines
    from services.api.domain.catalogue import Track
    from services.api.domain.runs import Limits
    from services.api.secrets import SecretKeys
    from services.api.signals import Signals
    from shared.blobs.base import BlobStore
    from shared.origin import OriginPolicy


NO_CAPS = Caps()
PUBLIC_TARGETS = Targets()
KEEP = Keep()
MAX_UPLOAD_BYTES = 64 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """Everything that can be done, by noun; the ``catalogue`` has its own by collection."""

    tokens: Tokens
    import_tasks: ImportTasks
    watching: Watching
    catalogue: Mapping[str, Items[Any]]
    records: Records
    publish_jobs: PublishJobs
    publications: Publications
    reports: Reports
    links: Links
    uploads: Uploads
    upload_sessions: UploadSessions
    upload_tracks: UploadTracks
    jobs: Jobs
    covers: Covers
    receiving: Receiving
    appending: Appending
    settings: TenantSettings
    subscriptions: Subscriptions
    deliveries: Deliveries
    sending: Sending
    operations: Operations
    audit: Audit
    runs: Runs
    dispatch: Dispatch
    outbox: Outbox
    dead_letters: DeadLetters
    blobs: Blobs
    retention: Retention
    executor: Executor

    @classmethod
    def build(  # noqa: PLR0917 - the parts that a composition root hands over
        cls,
        engines: Engines,
        signals: Signals,
        encode: EventEncoder,
        policy: OriginPolicy,
        limits: Limits,
        profiles: Collection[str],
        dispatch_base: timedelta = timedelta(seconds=2),
        verify: Verify | None = None,
        *,
        store: BlobStore,
        keys: SecretKeys,
        describe: EventDescriber,
        caps: Caps = NO_CAPS,
        targets: Targets = PUBLIC_TARGETS,
        retry_scale: float = 1.0,
        keep: Keep = KEEP,
        upload_max_bytes: int = MAX_UPLOAD_BYTES,
        upload_direct: bool = False,
        pictures_confined: bool = True,
    ) -> UseCases:
        """Wire the use cases to one database.

        ``profiles`` are the delivery profiles that there are, ``verify`` knows an identity
        provider's tokens, ``keys`` encrypt what tenants keep secret
        and sign links to the bytes in the ``store``. Webhooks and mail go to ``targets`` with what
        ``describe`` tells; ``retry_scale`` stretches the schedule of their attempts. An upload may
        have ``upload_max_bytes``, and goes straight into the store if ``upload_direct``;
        ``pictures_confined`` as in Pictures.
        """
        executor = Executor(engines, signals.notify)
        rows = TaskRows(encode, describe)
        vault, secrets = Vault(keys), SigningSecrets(keys)
        signer = Signer(tuple(keys.all_derived(PURPOSE)))
        runs = Runs.start(executor, rows, limits, Downloads(vault, caps), keep.superseded)
        import_tasks = ImportTasks(executor, rows, policy, profiles, vault)
        uploads = Uploads(
            executor=executor,
            import_tasks=import_tasks,
            signer=Signer(tuple(keys.all_derived(UPLOADS))),
            caps=caps,
            max_bytes=upload_max_bytes,
            drop_store=store if upload_direct else None,
        )
        catalogue = {noun.collection: Items(executor, noun) for noun in NOUNS}
        receiving = Receiving(uploads, store, Pictures(pictures_confined))
        return cls(
            tokens=Tokens(executor, verify),
            import_tasks=import_tasks,
            watching=Watching(executor, import_tasks, signals),
            catalogue=catalogue,
            records=Records(executor),
            publish_jobs=PublishJobs(executor, targets),
            publications=Publications(executor, import_tasks, catalogue[TRACKS.collection]),
            reports=Reports(executor),
            links=Links(executor=executor, store=store, signer=signer),
            uploads=uploads,
            upload_sessions=UploadSessions(executor, catalogue[TRACKS.collection], uploads),
            upload_tracks=UploadTracks(executor, import_tasks),
            jobs=Jobs(executor),
            covers=Covers(executor=executor, signer=Signer(tuple(keys.all_derived(COVERS)))),
            receiving=receiving,
            appending=Appending(receiving),
            settings=TenantSettings(executor, profiles, caps, targets),
            subscriptions=Subscriptions(executor, targets, secrets),
            deliveries=Deliveries(executor),
            sending=Sending(executor, secrets, retry_scale),
            operations=Operations(executor, vault),
            audit=Audit(executor),
            runs=runs,
            dispatch=Dispatch(executor, runs.silence, dispatch_base),
            outbox=Outbox(executor, limits.lease),
            dead_letters=DeadLetters(executor),
            blobs=Blobs(executor),
            retention=Retention(executor, rows, keep),
            executor=executor,
        )

    @property
    def tracks(self) -> Items[Track]:
        """The tracks of the catalogue."""
        return self.catalogue[TRACKS.collection]

    def reached_at(self, url: str) -> UseCases:
        """The same for a door whose clients do not show how they reach our files."""
        return replace(
            self,
            links=replace(self.links, url=url),
            uploads=replace(self.uploads, url=url),
            covers=replace(self.covers, url=url),
        )

    async def ready(self) -> bool:
        """Whether the database answers and has tables that fit.

        Everything else can wait, a create cannot.
        """
        try:
            problem = await self.executor.read(schema.judge)
        except Unavailable:
            return False
        return problem is None
