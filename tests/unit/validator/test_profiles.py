"""Delivery profiles: what the shipped ones ask, what a folder adds, how a broken one is told."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from cli.demo.master import Spec, master, write_master
from services.validator.audio.limits import Delivery
from services.validator.inspection import inspect
from services.validator.profile import (
    BrokenProfileError,
    Profile,
    Profiles,
    UnknownProfileError,
    load_profile,
    profile_names,
)
from services.validator.rules.registry import RULES
from shared.problems import Severity
from tests.support.media.audio import programme, sounding
from tests.support.media.broken import Broken, all_files
from tests.support.media.broken_audio import SPEC
from tests.support.media.broken_dbmd import at_25_frames
from tests.support.media.eac3 import joc_mp4

if TYPE_CHECKING:
    from pathlib import Path

MUSIC = ["apple-music", "dolby-music", "umg"]
ERROR, WARNING = Severity.ERROR, Severity.WARNING
# What each finding is worth to each shop, as its specification says.
WEIGHTS = {
    "loudness_over_margin": {"apple-music": ERROR, "dolby-music": ERROR, "umg": ERROR},
    "loudness_too_high": {"apple-music": WARNING, "dolby-music": WARNING, "umg": WARNING},
    "true_peak_over_margin": {"apple-music": ERROR, "dolby-music": ERROR, "umg": ERROR},
    "frame_rate_not_allowed": {"apple-music": WARNING, "dolby-music": ERROR, "umg": ERROR},
    "warp_mode_not_allowed": {"apple-music": WARNING, "dolby-music": WARNING, "umg": ERROR},
    "ffoa_set": {"apple-music": WARNING, "dolby-music": WARNING, "umg": ERROR},
    "binaural_unset": {"apple-music": WARNING, "dolby-music": ERROR, "umg": ERROR},
    "binaural_all_off": {"apple-music": WARNING, "dolby-music": WARNING, "umg": ERROR},
    "dbmd_supplemental_missing": {"apple-music": WARNING, "dolby-music": ERROR, "umg": ERROR},
    "lfe_content": {"apple-music": ERROR, "dolby-music": WARNING, "umg": ERROR},
    "tail_silence": {"apple-music": ERROR, "dolby-music": ERROR, "umg": WARNING},
    "head_silence": {"apple-music": WARNING, "dolby-music": ERROR, "umg": WARNING},
    "trims_not_manual": {"umg": WARNING},
}
FILES = {each.code: each for each in all_files() if each.code in WEIGHTS}


def put(folder: Path, name: str, text: str) -> Path:
    (folder / f"{name}.toml").write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize("name", MUSIC)
@pytest.mark.parametrize("broken", FILES.values(), ids=FILES)
def test_each_shop_weighs_a_finding_its_own_way(broken: Broken, name: str, tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    broken.write(path)
    report = inspect(path, load_profile(name), opinions=False)
    (severity,) = {each.severity for each in report.problems if each.code == broken.code}
    expected = WEIGHTS[broken.code].get(name, Severity.INFO)
    assert severity is expected
    assert report.accepted == (expected is not ERROR)


def test_what_only_a_shop_refuses_is_listened_to(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    loud = sounding(SPEC, programme(SPEC) * np.float32(2.5))
    at_25_frames(loud).write(path)
    report = inspect(path, load_profile("umg"), opinions=False)
    told = {each.code: each.severity for each in report.problems}
    assert told == {"frame_rate_not_allowed": ERROR, "loudness_over_margin": ERROR}
    assert not report.accepted


def test_a_broken_structure_is_not_listened_to(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    master(SPEC).with_chunk("dbmd", None).write(path)
    report = inspect(path, load_profile("umg"), opinions=False)
    assert [each.code for each in report.problems] == ["dbmd_missing"]
    assert report.audio is None


def test_what_a_profile_allows_is_listened_to(tmp_path: Path) -> None:
    put(tmp_path, "house", 'extends = "umg"\n[severities]\nsample_rate_not_allowed = "info"')
    path = tmp_path / "master.wav"
    write_master(path, Spec(seconds=0.5, rate=44_100))
    report = inspect(path, load_profile("house", tmp_path), opinions=False)
    assert [each.code for each in report.problems] == ["sample_rate_not_allowed"]
    assert report.accepted
    assert report.audio is not None


def test_every_weight_has_a_file() -> None:
    assert set(FILES) == set(WEIGHTS)


def test_the_default_only_warns_of_what_shops_ask() -> None:
    atmos = load_profile("atmos")
    assert atmos.severities == {}
    usual = {rule.code: rule.severity for rule in RULES}
    assert ERROR not in {usual[code] for code in WEIGHTS}
    assert atmos.delivery == msgspec.structs.replace(
        Delivery(),
        max_head_silence_seconds=0.041667,
        max_tail_silence_seconds=0.041667,
        max_stereo_difference_seconds=0.041667,
    )


@pytest.mark.parametrize("name", profile_names())
def test_a_valid_master_is_fit_for_every_shop(name: str, tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(seconds=2.0))
    report = inspect(path, load_profile(name), opinions=False, stereo_seconds=2.0)
    assert report.problems == ()


@pytest.mark.parametrize(("name", "fits"), [("umg", True), ("apple-music", False)])
def test_only_some_take_96_khz(name: str, fits: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    path = tmp_path / "master.wav"
    write_master(path, Spec(seconds=0.5, rate=96_000))
    report = inspect(path, load_profile(name), opinions=False)
    assert [each.code for each in report.problems] == ([] if fits else ["sample_rate_not_allowed"])


@pytest.mark.parametrize("name", MUSIC)
def test_shops_take_adm_bwf_only(name: str, tmp_path: Path) -> None:
    path = tmp_path / "master.mp4"
    path.write_bytes(joc_mp4())
    report = inspect(path, load_profile(name), opinions=False)
    assert [each.code for each in report.problems] == ["format_not_accepted"]


def test_the_stereo_version_has_to_fit_to_half_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(seconds=1.0))
    for name, difference, codes in (
        ("apple-music", 0.0208, []),
        ("apple-music", 0.021, ["stereo_duration_differs"]),
        ("dolby-music", 0.042, ["stereo_duration_differs"]),
        ("umg", 0.0416, []),
        ("umg", 0.042, ["stereo_duration_differs"]),
    ):
        seconds = 1.0 + difference
        report = inspect(path, load_profile(name), opinions=False, stereo_seconds=seconds)
        assert [each.code for each in report.problems] == codes
        assert report.accepted == (not codes)


def test_a_quiet_master_is_only_universal_s_business() -> None:
    limits = {name: load_profile(name).delivery.min_integrated_lufs for name in MUSIC}
    assert limits == {"apple-music": None, "dolby-music": None, "umg": -31.0}


def test_a_folder_adds_and_overrides(tmp_path: Path) -> None:
    put(tmp_path, "house", 'extends = "umg"\n[delivery]\nmax_integrated_lufs = -16\n')
    put(tmp_path, "own-house", 'extends = "house"\n[severities]\nffoa_set = "info"\n')
    put(tmp_path, "apple-music", 'extends = "atmos"\ntitle = "Ours"\n')

    own = load_profile("own-house", tmp_path)

    umg = load_profile("umg")
    assert own.name == "own-house"
    assert own.delivery == msgspec.structs.replace(umg.delivery, max_integrated_lufs=-16.0)
    assert own.severities == umg.severities | {"ffoa_set": Severity.INFO}
    assert load_profile("apple-music", tmp_path).title == "Ours"
    assert load_profile("apple-music").title != "Ours"
    assert {"house", "own-house", *MUSIC} < set(profile_names(tmp_path))


def test_only_files_with_a_profile_s_name_are_profiles(tmp_path: Path) -> None:
    names = ["House", "our house", "-house", "house.old", "h" * 64, "haus-\u00fc"]
    for name in (*names, "h" * 63):
        put(tmp_path, name, 'extends = "atmos"')
    (tmp_path / "notes").write_text("No profile.", "utf-8")
    assert {*profile_names(tmp_path)} - {*profile_names()} == {"h" * 63}


def test_frame_rates_and_downmixes_are_data(tmp_path: Path) -> None:
    put(tmp_path, "film", 'extends = "umg"\n[dolby]\nframe_rates = ["25"]\nwarp_modes = [1]\n')
    path = tmp_path / "master.wav"
    master(Spec(seconds=0.5)).write(path)
    report = inspect(path, load_profile("film", tmp_path), opinions=False)
    told = {each.code: (each.measured, each.allowed) for each in report.problems}
    assert told == {
        "frame_rate_not_allowed": ("24", "25"),
        "warp_mode_not_allowed": ("direct render", "direct render with room balance"),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "Invalid value (at line 1, column 9)"),
        ('[pcm]\nmax_channels = "128"', "Expected `int`, got `str` - at `$.pcm.max_channels`"),
        ("[pcm]\nmax_channels = 0", "Expected `int` >= 1 - at `$.pcm.max_channels`"),
        ("[pcm]\nmax_chanels = 128", "Object contains unknown field `max_chanels` - at `$.pcm`"),
        ("loudness = -18", "Object contains unknown field `loudness`"),
        ('formats = ["mp3"]', "Invalid enum value 'mp3' - at `$.formats[0]`"),
        ('[severities]\nffoa_set = "fatal"', "Invalid enum value 'fatal' - at `$.severities[...]`"),
        ('[severities]\nffoa = "error"', "severities.ffoa: there is no rule of this code"),
        ("[eac3]\nmin_carrying = inf", "Expected `float`, got `null` - at `$.eac3.min_carrying`"),
        ("[eac3]\nmin_carrying = nan", "Expected `float`, got `str` - at `$.eac3.min_carrying`"),
        ("[eac3]\nmin_carrying = 1.5", "Expected `float` <= 1.0 - at `$.eac3.min_carrying`"),
        ("[eac3]\nmax_gap_seconds = -1", "Expected `float` >= 0.0 - at `$.eac3.max_gap_seconds`"),
        *(
            (f"[delivery]\n{field} = -0.1", f"Expected `float` >= 0.0 - at `$.delivery.{field}`")
            for field in (
                "loudness_margin_lu",
                "true_peak_margin_db",
                "max_lfe_share_above_200hz",
                "max_head_silence_seconds",
                "max_tail_silence_seconds",
                "max_stereo_difference_seconds",
            )
        ),
        (
            "[delivery]\nmax_lfe_share_above_200hz = 1.1",
            "Expected `float` <= 1.0 - at `$.delivery.max_lfe_share_above_200hz`",
        ),
        ("[dolby]\nwarp_modes = [-1]", "Expected `int` >= 0 - at `$.dolby.warp_modes[0]`"),
        ("[dolby]\nwarp_modes = [5]", "Expected `int` <= 4 - at `$.dolby.warp_modes[0]`"),
        ('[dolby]\nframe_rates = ["48"]', "Invalid enum value '48' - at `$.dolby.frame_rates"),
        ("[pcm]\nsample_rates = [0]", "Expected `int` >= 1 - at `$.pcm.sample_rates[0]`"),
        ("[pcm]\nbit_depths = [0]", "Expected `int` >= 1 - at `$.pcm.bit_depths[0]`"),
        ("[eac3]\nsample_rates = [0]", "Expected `int` >= 1 - at `$.eac3.sample_rates[0]`"),
        ("[eac3]\nmin_carrying = -0.1", "Expected `float` >= 0.0 - at `$.eac3.min_carrying`"),
        *(
            (f"[{table}]\nodd = 1", f"Object contains unknown field `odd` - at `$.{table}`")
            for table in ("delivery", "dolby", "eac3")
        ),
        ('name = "other"', "name: a profile is named by its file"),
    ],
)
def test_a_broken_file_is_told_by_its_name_and_field(text: str, words: str, tmp_path: Path) -> None:
    put(tmp_path, "house", f'extends = "atmos"\n{text}\n')
    with pytest.raises(BrokenProfileError) as told:
        Profiles(folder=tmp_path)
    assert str(told.value).startswith("house.toml: ")
    assert words.replace("line 1", "line 2") in str(told.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('extends = "nobody"', "house.toml: extends: there is no profile 'nobody'"),
        ('extends = "house"', "house.toml: extends: 'house' is no other profile"),
        ('extends = "back"', "back.toml: extends: 'house' is no other profile"),
        ("extends = 7", "house.toml: extends: 7 is no other profile"),
        ('extends = "broken"', "broken.toml: Expected `str`, got `int` - at `$.title`"),
        ("title = 'alone'", "house.toml: Object missing required field `formats`"),
    ],
)
def test_what_a_file_extends_has_to_be_there_and_whole(
    text: str, words: str, tmp_path: Path
) -> None:
    put(tmp_path, "back", 'extends = "house"')
    put(tmp_path, "broken", 'extends = "atmos"\ntitle = 5')
    put(tmp_path, "house", text)
    with pytest.raises(BrokenProfileError) as told:
        load_profile("house", tmp_path)
    assert str(told.value) == words


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "house.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(BrokenProfileError, match=r"house\.toml: not UTF-8 at byte 9"):
        load_profile("house", tmp_path)


def test_an_unknown_default_is_told() -> None:
    with pytest.raises(UnknownProfileError, match="nobody"):
        Profiles("nobody")
    assert Profiles("umg").get("").name == "umg"
    assert Profiles("umg").get("atmos").name == "atmos"
    with pytest.raises(UnknownProfileError, match="nobody"):
        Profiles().get("nobody")


def test_a_profile_survives_the_way_to_the_child() -> None:
    for name in profile_names():
        profile = load_profile(name)
        assert msgspec.json.decode(msgspec.json.encode(profile), type=Profile) == profile


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"STAGEDOOR_DELIVERY_PROFILE": "nobody"}, b"DELIVERY_PROFILE: there is no profile nobody"),
        ({"STAGEDOOR_PROFILES_DIR": "{folder}"}, b"delivery profile house.toml: "),
        ({"STAGEDOOR_PROFILES_DIR": "{folder}/none"}, b"STAGEDOOR_PROFILES_DIR: "),
    ],
)
def test_the_service_does_not_start_with_a_profile_that_cannot_be_used(
    variables: dict[str, str], words: bytes, tmp_path: Path
) -> None:
    put(tmp_path, "house", "")
    environment = {name: value.format(folder=tmp_path) for name, value in variables.items()}
    done = subprocess.run(
        [sys.executable, "-m", "services.validator"],
        capture_output=True,
        check=False,
        env={"STAGEDOOR_DATA_DIR": str(tmp_path), **environment},
        timeout=30,
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert b"Traceback" not in done.stderr
