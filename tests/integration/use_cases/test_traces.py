"""A task remembers in which trace its generation was asked for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import context as spans
from opentelemetry import propagate

from services.api.domain.lifecycle import Stage
from services.api.domain.outcomes import Refused, error
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.options import Options
from tests.support.core import a_principal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.core import Core

WHO = a_principal()
FIRST = f"00-{'a' * 32}-{'1' * 16}-01"
SECOND = f"00-{'b' * 32}-{'2' * 16}-00"


@contextmanager
def within(traceparent: str) -> Iterator[None]:
    token = spans.attach(propagate.extract({"traceparent": traceparent}))
    try:
        yield
    finally:
        spans.detach(token)


async def test_each_generation_has_the_trace_of_the_request_that_began_it(any_core: Core) -> None:
    tasks, dispatch = any_core.use_cases.import_tasks, any_core.use_cases.dispatch
    with within(FIRST):
        task = await any_core.task()
    assert task.traceparent == FIRST
    assert [due.traceparent for due in await dispatch.due(1)] == [FIRST]
    with within(SECOND):
        same = await tasks.update(WHO, task.id, TaskFields(isrc="USRC10000000"))
        assert same.traceparent == FIRST
        again = await tasks.update(WHO, task.id, TaskFields(declared_md5="0" * 32))
    assert (again.generation, again.traceparent) == (2, SECOND)
    run = await any_core.claim(task.id, Stage.DOWNLOAD, 2)
    await any_core.use_cases.runs.report(task.id, run, Refused(problems=(error("x", "y"),)))
    assert (await tasks.get(WHO, task.id)).traceparent == SECOND
    assert (await tasks.retry(WHO, task.id)).traceparent is None


async def test_an_answer_given_again_has_it_too(any_core: Core) -> None:
    fields, options = TaskFields(source_uri="https://cdn.example.com/m.wav"), Options(key="k")
    with within(FIRST):
        first = await any_core.use_cases.import_tasks.create(WHO, fields, options=options)
    with within(SECOND):
        again = await any_core.use_cases.import_tasks.create(WHO, fields, options=options)
    assert again == first
