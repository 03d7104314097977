"""The fault harness: real processes, each of which a test may break, and what must hold then.

A fault test in ten lines::

    async def test_a_downloader_killed_under_way(system: System, rng: random.Random) -> None:
        body = large(4)
        async with system.client() as client:
            task_id = await client.bring("/m.wav", body, bytes_per_second=2_000_000)
            await client.until_fetched(task_id, rng.random() * len(body))
            await rng.choice(system.downloaders).restart()
            system.end_fault()
            await client.all_completed()
        await system.check()

Systems. The fixtures ``laptop`` and ``fleet`` are shared by a module, so leave them healthy: every
process running (``await system.start_all()``), every link healed. ``system`` is each in turn. For
one of your own, with other sizes, settings, links through proxies or failpoints::

    with running_system(tmp_path, replace(FLEET, downloaders=4), proxied=[WORKER_NATS],
                        role_settings={"api": {"STAGEDOOR_TENANT_RUNNING": "1"}},
                        STAGEDOOR_LEASE_SECONDS="4") as system: ...

Processes. ``system.nats``, ``.s3``, ``.apis[0]``, ``.downloaders[0]``, ``.validators[0]`` are
``Process``: ``await start(failpoints)``, ``restart``, ``kill()``, ``stop()``, ``cont()``,
``await term()``, ``await died()``, ``await stopped()``, ``rss_bytes()``, ``fds()``, ``children()``,
``log()``, ``await logged(text)``. ``system.postgres`` is a ``PostgresServer``: ``kill()``,
``start()``. Start processes from the test itself: what a thread starts dies with the thread. A
broker that is dead can be emptied: ``system.wipe_broker()``.

Failpoints (shared.failpoints lists them) hold for one start::

    await system.apis[0].restart("relay.published=kill")   # or =stop, or =kill@3
    assert await system.apis[0].died() == -signal.SIGKILL
    await system.apis[0].start()                           # or first_to_die(system.apis)

Links. Those named in ``proxied`` go through a proxy: ``system.link(WORKER_NATS).blackhole()``,
``.drop()``, ``.cut()``, ``.slow(bytes_per_second=1)``, ``.heal()`` (see ``proxy``).

Origins. ``client.bring(path, body)`` serves a good master. Anything else: ``client.create`` with
``system.serve(path, reply)``, where the reply is one of tests.support.replies, maybe ``throttled``.

Clients. ``system.client()`` repeats what got no answer and notes every 2xx in ``system.ledger``,
from which the check knows what was promised. ``all_final`` and ``all_completed`` say, when they
give up, what the rows of the tasks say.

Statuses and runs. ``async with holding.held(system, client, status, name) as id_`` keeps a task in
any status, ``holding.frozen(processes)`` stops some meanwhile; ``runs`` tells which worker runs a
task, how its run ended, and which attempts there were.

Brokers. ``broker`` has an operator of the single one, who may delete and resize streams. With
``running_system(..., cluster=NatsCluster())`` the test runs a cluster in its place.

The check. ``await system.check()`` lets the system come to rest and asserts I1 to I10 (see
``invariants``); what the fault excuses is an argument (``invariants.Allowed``): ``orphans=1`` after
a run was killed that had stored bytes, ``events_lost=True`` after the broker was wiped.
"""

from __future__ import annotations

from tests.support.faults.client import Client, Ledger, RefusedError, Told
from tests.support.faults.invariants import Allowed
from tests.support.faults.masters import large, small, throttled
from tests.support.faults.process import (
    Ended,
    Process,
    first_to_die,
    first_with_a_child,
    gone,
    reads_below,
)
from tests.support.faults.proxy import Direction, Proxy
from tests.support.faults.shapes import (
    API_DATABASE,
    API_NATS,
    FLEET,
    LAPTOP,
    PUBLISHING,
    STORE,
    WORKER_NATS,
    WORKER_ORIGIN,
    Shape,
)
from tests.support.faults.system import System, running_system

__all__ = [
    "API_DATABASE",
    "API_NATS",
    "FLEET",
    "LAPTOP",
    "PUBLISHING",
    "STORE",
    "WORKER_NATS",
    "WORKER_ORIGIN",
    "Allowed",
    "Client",
    "Direction",
    "Ended",
    "Ledger",
    "Process",
    "Proxy",
    "RefusedError",
    "Shape",
    "System",
    "Told",
    "first_to_die",
    "first_with_a_child",
    "gone",
    "large",
    "reads_below",
    "running_system",
    "small",
    "throttled",
]
