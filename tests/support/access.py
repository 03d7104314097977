"""Two tenants behind both doors, everybody who must not get in, and what is reachable at all."""

from __future__ import annotations

import json
import pkgutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from google.protobuf import message_factory

import stagedoor.v1
from services.api.domain.principal import ADMIN, SCOPES
from services.api.domain.task import Master, Target
from services.api.http.server import make_app
from services.api.jwt import JwtVerifier
from services.api.use_cases.jobs import Write
from services.api.use_cases.subscriptions import SubscriptionFields
from services.api.use_cases.tokens import Tokens
from services.api.use_cases.upload_tracks import TrackFields
from tests.support import identity
from tests.support.catalogue import one_of_each
from tests.support.core import a_principal
from tests.support.door import open_door
from tests.support.jsonapi import serving
from tests.support.publishing import a_draft, a_job, publish
from tests.support.uploading import a_session, expect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Mapping
    from pathlib import Path

    from aiohttp import ClientSession, web
    from google.protobuf.descriptor import MethodDescriptor

    from services.api.domain.principal import Principal
    from services.api.domain.task import Task
    from tests.support.core import Core
    from tests.support.door import Door, Metadata

OURS, OTHERS = "default", "other"
ISRC = "USRC12345678"


@dataclass(frozen=True, slots=True)
class Things:
    """What a tenant has: ids by collection."""

    tracks: str
    tasks: str
    records: str
    subscriptions: str
    deliveries: str
    uploads: str
    sessions: str
    upload_tracks: str
    write_jobs: str
    jobs: str
    publications: str
    renditions: str
    catalogue: Mapping[str, str]
    """By type: one of each noun beside the track."""


@dataclass(frozen=True, slots=True)
class World:
    """Both doors, what the tenant ``default`` has, and who else is there."""

    core: Core
    door: Door
    session: ClientSession
    app: web.Application
    ours: Things

    async def token(self, *scopes: str, tenant: str = OURS) -> str:
        """A good token."""
        return await self.core.use_cases.tokens.issue(tenant, "test", scopes)

    async def lacking(self, scope: str) -> str:
        """A token that has every scope but this."""
        return await self.token(*(SCOPES - {scope, ADMIN}))

    @staticmethod
    def jwt(**changes: object) -> str:
        """A good JWT but for the changes."""
        return identity.token("ec-1", "ES256", **{"tenant": OURS, "scope": ADMIN, **changes})

    async def nobodies(self) -> dict[str, str]:
        """What is sent as authorization by those who are not let in."""
        tokens = self.core.use_cases.tokens
        good = await self.token(ADMIN)
        past = datetime.now(UTC) - timedelta(seconds=1)
        expired = await tokens.issue(OURS, "old", [ADMIN], past)
        revoked, rotated = await self.token(ADMIN), await self.token(ADMIN)
        await tokens.revoke(revoked.split("_")[1])
        await tokens.rotate(rotated.split("_")[1], timedelta(0))
        return {
            "empty": "Bearer ",
            "junk": "Bearer sd_0_0",
            "wrong": f"Bearer {good[:-1]}{'A' if good[-1] != 'A' else 'B'}",
            "unknown": f"Bearer sd_{'0' * 16}_{good.split('_', 2)[2]}",
            "expired": f"Bearer {expired}",
            "revoked": f"Bearer {revoked}",
            "rotated away": f"Bearer {rotated}",
            "another scheme": f"Basic {good}",
            "no scheme": good,
            "expired JWT": f"Bearer {self.jwt(exp=1)}",
            "another issuer's JWT": f"Bearer {self.jwt(iss='https://else.example.com')}",
            "another service's JWT": f"Bearer {self.jwt(aud='else')}",
        }


@asynccontextmanager
async def open_world(core: Core, folder: Path) -> AsyncIterator[World]:
    """Serve the core at both doors; JWTs of an issuer count beside tokens."""
    path = folder / "jwks.json"
    path.write_text(json.dumps({"keys": [identity.jwk("ec-1")]}))
    trust = replace(identity.TRUST, jwks=str(path))
    tokens = Tokens(core.use_cases.executor, JwtVerifier(trust, trust.keys()).verify)
    known = replace(core, use_cases=replace(core.use_cases, tokens=tokens))
    app = make_app(known.use_cases, public_url=None, ready=known.use_cases.ready)
    ours = await things(known, OURS)
    async with open_door(known) as door, serving(app) as session:
        yield World(known, door, session, app, ours)


async def things(core: Core, tenant: str) -> Things:
    """A tenant's track, its completed task, its record, and one of everything else."""
    task: Task = await core.complete(await core.task(ISRC, a_principal(tenant)))
    assert task.target is not None
    use_cases, who = core.use_cases.subscriptions, a_principal(tenant)
    asset = await _asset(core, who)  # while nobody is told of its import
    fields = SubscriptionFields(target="https://hooks.example.com/")
    subscription = (await use_cases.create(who, fields)).subscription.id
    delivery = (await use_cases.ping(who, subscription)).id
    catalogue = await one_of_each(core, who)
    await core.use_cases.tracks.delete(who, catalogue.pop("tracks"))  # the task has one
    linked = {name: Target(f"{name}s", catalogue[f"{name}s"]) for name in ("product", "collection")}
    await core.use_cases.tracks.update(who, task.target.id, linked)
    job = await a_job(core, who)
    publication = await publish(core, await a_draft(core, job, task))
    return Things(
        jobs=str(job.id),
        publications=str(publication.id),
        renditions=str(publication.renditions[0].id),
        tracks=str(task.target.id),
        tasks=str(task.id),
        records=str(task.record_id),
        subscriptions=str(subscription),
        deliveries=str(delivery),
        sessions=str((await a_session(core, who, catalogue["collections"])).id),
        **asset,
        catalogue={type_: str(id_) for type_, id_ in catalogue.items()},
    )


async def _asset(core: Core, who: Principal) -> dict[str, str]:
    """An upload that is kept, a track of it without its task, and the job that made the track."""
    uploads, upload = core.use_cases.uploads, await expect(core, who.tenant)
    key = upload.key(upload.id)
    await uploads.settle(upload.id, Master(blob_key=key, size_bytes=1, md5="0" * 32))
    await uploads.keep(who, upload.id)
    fields = TrackFields(
        type="subtitles", language_code="it-IT", source_uri="https://cdn.example.com/it.srt"
    )
    unit = core.use_cases.upload_tracks.creating(who, upload.id, fields)
    job = await core.use_cases.jobs.run(who, Write(action="create", unit=unit, waits=True))
    assert job.task_id is not None
    await core.use_cases.import_tasks.delete(who, job.task_id)
    return {
        "uploads": str(upload.id),
        "upload_tracks": str(job.resource.id),
        "write_jobs": str(job.id),
    }


def http_routes(app: web.Application) -> set[str]:
    """Every route of an application and of those mounted in it, as ``METHOD /path``."""
    routes = [route for resource in app.router.resources() for route in resource]
    return {f"{route.method} {route.resource.canonical}" for route in routes if route.resource}


def rpcs() -> dict[str, MethodDescriptor]:
    """Every method of every service of stagedoor.v1, by its name."""
    names = [module.name for module in pkgutil.iter_modules(stagedoor.v1.__path__)]
    files = [import_module(f"stagedoor.v1.{n}").DESCRIPTOR for n in names if n.endswith("_pb2")]
    services = [each for file in files for each in file.services_by_name.values()]
    return {method.name: method for each in services for method in each.methods}


def is_addressed(method: MethodDescriptor) -> bool:
    """Whether a method is about one of several resources that exist already."""
    if method.name.endswith("Settings"):  # of which every tenant has exactly one (AIP-156)
        return False
    return "name" in method.input_type.fields_by_name or method.name.startswith("Update")


def call(
    door: Door, method: MethodDescriptor, who: Metadata | None, name: str = ""
) -> Awaitable[Any]:
    """Call a method, about the resource of this name if it is about one."""
    request: Any = message_factory.GetMessageClass(method.input_type)()
    if "name" in method.input_type.fields_by_name:
        request.name = name
    elif method.name.startswith("Update"):
        getattr(request, method.input_type.fields[0].name).name = name
    elif method.name.startswith("Batch"):
        request.requests.add()
    path = f"/{method.containing_service.full_name}/{method.name}"
    types = {
        "request_serializer": type(request).SerializeToString,
        "response_deserializer": message_factory.GetMessageClass(method.output_type).FromString,
    }
    if method.server_streaming:
        return door.channel.unary_stream(path, **types)(request, metadata=who).read()
    return door.channel.unary_unary(path, **types)(request, metadata=who)
