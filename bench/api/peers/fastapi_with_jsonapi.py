"""fastapi-jsonapi with SQLAlchemy's ORM, as its own documentation has it.

Its documents have no links of relationships and its total is that of the page.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, ClassVar, Optional

from fastapi import Depends, FastAPI
from fastapi_jsonapi import ApplicationBuilder
from fastapi_jsonapi.misc.sqla.generics.base import ViewBaseGeneric
from fastapi_jsonapi.schema_base import BaseModel
from fastapi_jsonapi.views import Operation, OperationConfig, ViewBase
from models import Task, event_of
from pydantic import ConfigDict
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, synonym

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=16)
sessions = async_sessionmaker(engine, expire_on_commit=False)


@event.listens_for(Session, "after_flush")
def tell(session: Session, _: object) -> None:
    """Add the event of each new task, in its transaction."""
    session.add_all([event_of(each) for each in session.new if isinstance(each, Task)])


async def opened() -> AsyncIterator[AsyncSession]:
    """A session for one request."""
    async with sessions() as session:
        yield session


class Import(Task):
    """A task with the names of its document."""

    url = synonym("source_uri")
    secondaryIsrc = synonym("isrc")  # noqa: N815 - the name on the wire


class New(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(from_attributes=True)

    url: str
    secondaryIsrc: str  # noqa: N815 - the name on the wire


class Shown(New):
    """What is shown of a task."""

    declared_md5: Optional[str]  # noqa: UP045 - pydantic evaluates it
    status: str
    size_bytes: Optional[int]  # noqa: UP045
    actual_md5: Optional[str]  # noqa: UP045
    created_at: datetime
    updated_at: datetime
    delivery_profile: Optional[str]  # noqa: UP045


class Dependencies(BaseModel):
    """What a request needs."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    session: AsyncSession = Depends(opened)


def prepare(_: ViewBase, needed: Dependencies) -> dict[str, Any]:
    """What the library's data layer takes."""
    return {"session": needed.session}


class TaskView(ViewBaseGeneric):
    """The resource."""

    operation_dependencies: ClassVar = {
        Operation.ALL: OperationConfig(dependencies=Dependencies, prepare_data_layer_kwargs=prepare)
    }


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Close the pool at the end."""
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
builder = ApplicationBuilder(app)
builder.add_resource(
    path="/api/v1/atmos-import-tasks",
    tags=["Tasks"],
    view=TaskView,
    schema=Shown,
    schema_in_post=New,
    model=Import,
    resource_type="atmos-import-tasks",
)
builder.initialize()


class Slashed:
    """Its paths end with a slash, which it would send every client to."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Add it."""
        if scope["type"] == "http":
            scope["path"] = scope["path"].rstrip("/") + "/"
        await app(scope, receive, send)


served = Slashed()
