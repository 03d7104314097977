"""``stagedoor subscriptions``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import UUID

from services.api.domain.subscriptions import Outcome
from tests.support.core import a_principal

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.unit.cli.conftest import Result, Stagedoor

TARGET = "https://hooks.example.com/in"


def shown(result: Result) -> dict[str, str]:
    """The fields that a command printed."""
    assert (result.code, result.err) == (0, [])
    pairs = (line.partition("  ") for line in result.out)
    return {label: value.strip() for label, _, value in pairs}


async def test_from_create_to_delete(stagedoor: Stagedoor) -> None:
    event = "stagedoor.import_task.completed"
    options = ("--event", event, "--description", "The [bold] catalogue")
    made = shown(await stagedoor("subscriptions", "create", TARGET, *options))
    assert made["secret"].startswith("whsec_")
    name = made["subscription"]
    id_ = name.removeprefix("subscriptions/")
    listed = await stagedoor("subscriptions", "list")
    assert listed.out[0].split() == ["SUBSCRIPTION", "TARGET", "EVENTS", "STATUS", "DESCRIPTION"]
    assert listed.out[1].split(maxsplit=4) == [
        id_,
        TARGET,
        event,
        "enabled",
        "The [bold] catalogue",
    ]
    off = shown(await stagedoor("subscriptions", "disable", id_))
    assert off["status"] == "disabled (asked)"
    assert shown(await stagedoor("subscriptions", "get", name)) == off
    assert shown(await stagedoor("subscriptions", "enable", id_))["status"] == "enabled"
    rotated = shown(await stagedoor("subscriptions", "rotate", id_, "--overlap-hours", "0"))
    assert rotated.keys() == made.keys()
    assert rotated["secret"] != made["secret"]
    as_json = json.loads("\n".join((await stagedoor("subscriptions", "get", id_, "--json")).out))
    assert (as_json["name"], as_json["secret"], as_json["enabled"]) == (name, "", True)
    assert (await stagedoor("subscriptions", "delete", id_)).code == 0
    gone = await stagedoor("subscriptions", "get", id_)
    assert (gone.code, gone.err) == (1, [f"error: NOT_FOUND: There is no {name}."])


async def test_what_was_sent(stagedoor: Stagedoor, core: Core) -> None:
    name = shown(await stagedoor("subscriptions", "create", TARGET))["subscription"]
    sent = shown(await stagedoor("subscriptions", "ping", name))
    assert sent["state"] == "pending"
    assert sent["event"].startswith("stagedoor.ping ")
    taken = await core.use_cases.sending.take(1, {}, 1)
    outcome = Outcome(error="bad_status", status=500, permanent=True)
    await core.use_cases.sending.settle([(taken[0], outcome)])
    failed = await stagedoor("subscriptions", "deliveries", name, "--state", "failed")
    id_ = sent["delivery"].rpartition("/")[2]
    assert failed.out[1].split()[:6] == [id_, "stagedoor.ping", "failed", "1", "bad_status", "500"]
    again = shown(await stagedoor("subscriptions", "replay", name, id_))
    assert (again["delivery"], again["event"]) == (sent["delivery"], sent["event"])
    kept = await core.use_cases.deliveries.get(a_principal(), None, UUID(id_))
    assert (kept.state, kept.attempts) == ("pending", 0)
    none = await stagedoor("subscriptions", "deliveries", name, "--state", "failed")
    assert len(none.out) == 1


async def test_a_refused_target(stagedoor: Stagedoor) -> None:
    result = await stagedoor("subscriptions", "create", "mailto:a@example.com")
    assert (result.code, result.err) == (1, ["error: INVALID_FIELD: This server sends no mail."])
