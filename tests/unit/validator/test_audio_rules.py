"""Each rule of the sound has a master that breaks it alone, found through its own metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.validator.audio.limits import Delivery
from services.validator.audio.measure import measure
from services.validator.rules import audio as rules
from services.validator.rules.audio import Audio
from services.validator.rules.registry import RULES, judge
from shared.adm.axml import read_axml
from shared.adm.chna import read_chna
from shared.adm.model import Adm
from shared.adm.riff import Fmt, read_riff
from shared.adm.routes import BedRoute, ObjectRoute
from shared.adm.routing import routes_of
from shared.adm.source import open_source
from shared.adm.trajectories import Trajectories
from shared.problems import Severity
from tests.support.media.audio import programme, sounding
from tests.support.media.broken_audio import SPEC, files

if TYPE_CHECKING:
    from pathlib import Path

    from services.validator.audio.measurement import AudioMeasurement
    from services.validator.profile import Profile
    from shared.adm.routes import Route
    from tests.support.media.broken import Broken

FILES = files()
WITH_STEREO = "stereo_duration_differs"


def routed(path: Path) -> tuple[AudioMeasurement, tuple[Route, ...]]:
    """Measure a master by its own metadata."""
    with open_source(path) as source:
        riff, paths = read_riff(source), Trajectories()
        axml, chna, data = (riff.chunk(name) for name in ("axml", "chna", "data"))
        assert axml
        assert chna
        assert data
        assert isinstance(riff.fmt, Fmt)
        fmt = riff.fmt
        adm = read_axml(source, axml, on_block=paths)
        assert isinstance(adm, Adm)
        routes = routes_of(adm, read_chna(source, chna), paths.by_channel, fmt.channels)
        depth, rate = fmt.bit_depth, fmt.sample_rate
        found = measure(source, data.offset, data.size, fmt.channels, depth, rate, routes)
        return found, routes


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[AudioMeasurement, tuple[Route, ...]]:
    path = tmp_path_factory.mktemp("plain") / "master.wav"
    sounding(SPEC, programme(SPEC)).write(path)
    return routed(path)


def test_the_metadata_says_where_each_track_goes(
    plain: tuple[AudioMeasurement, tuple[Route, ...]],
) -> None:
    beds, objects = plain[1][:10], plain[1][10:]

    labels = [each.label for each in beds if isinstance(each, BedRoute)]
    assert labels == [each.label for each in SPEC.channels[:10]]
    assert [isinstance(each, ObjectRoute) for each in objects] == [True, True]


def test_a_good_master_has_no_finding(
    plain: tuple[AudioMeasurement, tuple[Route, ...]], atmos: Profile
) -> None:
    assert judge(Audio(plain[0], Delivery(), stereo_seconds=SPEC.seconds), atmos) == []


@pytest.mark.parametrize("broken", FILES, ids=lambda each: f"{each.code}: {each.name}")
def test_a_broken_master_has_one_finding(broken: Broken, tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.wav"
    broken.write(path)

    problems = judge(Audio(routed(path)[0], Delivery(), broken.stereo_seconds), atmos)

    assert {problem.code for problem in problems} == {broken.code}
    errors = {problem.code for problem in problems if problem.severity is Severity.ERROR}
    assert errors == ({"all_silent"} & {broken.code})


@pytest.mark.parametrize(("seconds", "codes"), [(1.04, []), (1.05, [WITH_STEREO]), (None, [])])
def test_the_stereo_version_has_the_same_length(
    seconds: float | None,
    codes: list[str],
    plain: tuple[AudioMeasurement, tuple[Route, ...]],
    atmos: Profile,
) -> None:
    problems = judge(Audio(plain[0], Delivery(), seconds), atmos)

    assert [problem.code for problem in problems] == codes


def test_every_rule_of_the_sound_has_a_file_and_a_cure() -> None:
    own = [each for each in RULES if each.check.__module__ == rules.__name__]

    assert {each.code for each in own} == {each.code for each in FILES}
    assert all(each.fix and each.check.__doc__ for each in own)
