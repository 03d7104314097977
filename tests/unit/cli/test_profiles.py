"""Delivery profiles, master types, settings and reports at the command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from services.api.domain.queries import TaskQuery
from tests.support.core import MD5, PACKED, a_principal

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.unit.cli.conftest import Stagedoor

URL = "https://cdn.example.com/master.wav"


async def test_a_master_of_another_type_needs_a_url_alone(stagedoor: Stagedoor, core: Core) -> None:
    made = await stagedoor("import", URL, "--master-type", "cd", "--profile", "apple-music")
    assert (made.code, made.err) == (0, [])
    [task] = (await core.use_cases.import_tasks.list(a_principal(), TaskQuery())).items
    assert (task.master_type, task.delivery_profile, task.target) == ("cd", "apple-music", None)
    shown = await stagedoor("tasks", "get", made.out[0])
    fields = {line.rpartition("  ")[0].strip(): line.rpartition("  ")[2] for line in shown.out}
    assert (fields["master type"], fields["profile"]) == ("cd", "apple-music")


async def test_unknown_types_and_profiles_are_refused(stagedoor: Stagedoor) -> None:
    wrong = await stagedoor("import", URL, "--master-type", "vinyl")
    assert wrong.code == 2
    assert "no master type vinyl" in " ".join(wrong.err)
    refused = await stagedoor("import", URL, "--profile", "nope")
    assert (refused.code, len(refused.err)) == (1, 1)
    assert refused.err[0].startswith("error: INVALID_FIELD: A delivery profile is one of ")


async def test_settings_are_shown_and_changed(stagedoor: Stagedoor) -> None:
    assert (await stagedoor("settings", "get")).out == [
        "delivery profile  (that of the deployment)",
        "stored bytes      0",
        "byte quota        (any number)",
    ]
    changed = await stagedoor("settings", "set", "--profile", "apple-music")
    assert changed.out[0] == "delivery profile  apple-music"
    shown = json.loads("\n".join((await stagedoor("settings", "get", "--json")).out))
    assert (shown["name"], shown["deliveryProfile"]) == ("settings", "apple-music")


async def test_a_report_is_shown(stagedoor: Stagedoor, core: Core) -> None:
    task = await core.complete(await core.task(), PACKED)
    shown = await stagedoor("tasks", "report", str(task.id))
    assert (shown.code, shown.err) == (0, [])
    assert "verdict      accepted" in shown.out
    assert shown.out[-1] == "warning x: A warning."
    as_json = json.loads(
        "\n".join((await stagedoor("tasks", "report", str(task.id), "--json")).out)
    )
    assert (as_json["accepted"], as_json["md5"]) == (True, MD5)


async def test_a_track_s_length_is_told(stagedoor: Stagedoor) -> None:
    made = await stagedoor("tracks", "create", "Song", "--seconds", "215.04", "--json")
    assert json.loads("\n".join(made.out))["stereoDuration"] == "215.040s"
