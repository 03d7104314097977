"""FastAPI with SQLAlchemy's ORM, as its own documentation has it: a session for each request.

A create adds the task and its event in one transaction. Nothing else of what Stagedoor does for a
request is done here: no authentication, no audit, no idempotency, no limits.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID, uuid4

from documents import page, single
from fastapi import Depends, FastAPI, HTTPException, Query
from models import Task, event_of
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Identifier(BaseModel):
    """Where a relationship leads."""

    type: str
    id: UUID


class Linkage(BaseModel):
    """A relationship of a request."""

    data: Identifier


class Relationships(BaseModel):
    """Those of a request."""

    track: Linkage


class Attributes(BaseModel):
    """Those of a request."""

    url: str
    secondaryIsrc: str  # noqa: N815 - the name on the wire


class NewResource(BaseModel):
    """The data of a request."""

    type: str
    attributes: Attributes
    relationships: Relationships


class NewDocument(BaseModel):
    """What a client sends to create a task."""

    data: NewResource


engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=16)
sessions = async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Close the pool at the end."""
    yield
    await engine.dispose()


async def session() -> AsyncIterator[AsyncSession]:
    """A session for one request."""
    async with sessions() as opened:
        yield opened


app = FastAPI(lifespan=lifespan)
Session = Annotated[AsyncSession, Depends(session)]


@app.get("/api/v1/atmos-import-tasks/{id_}")
async def get(id_: UUID, opened: Session) -> dict[str, Any]:
    """One task."""
    task = await opened.get(Task, id_)
    if task is None:
        raise HTTPException(404)
    return single(task)


@app.get("/api/v1/atmos-import-tasks")
async def list_(
    opened: Session,
    number: Annotated[int, Query(alias="page[number]", ge=1)] = 1,
    size: Annotated[int, Query(alias="page[size]", ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """A page, and how many there are."""
    total = await opened.scalar(select(func.count()).select_from(Task))
    query = select(Task).order_by(Task.id).offset((number - 1) * size).limit(size)
    return page((await opened.scalars(query)).all(), number, size, total or 0)


@app.post("/api/v1/atmos-import-tasks", status_code=201)
async def create(document: NewDocument, opened: Session) -> dict[str, Any]:
    """Make a task and its event."""
    wanted = document.data
    task = Task(
        id=uuid4(),
        source_uri=wanted.attributes.url,
        isrc=wanted.attributes.secondaryIsrc,
        target_id=wanted.relationships.track.data.id,
    )
    opened.add_all([task, event_of(task)])
    await opened.commit()
    return single(task)
