"""``stagedoor inspect``: what it prints, writes and shows on the way."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.demo.master import Spec, master, write_master
from services.validator.advice import fix_of
from tests.support.media.others import stereo_wave

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Stagedoor


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "master.wav"
    write_master(path, Spec(objects=1, seconds=0.5))
    return path


async def test_a_page_is_written_besides_what_is_printed(alone: Stagedoor, file: Path) -> None:
    page = alone.folder / "report.html"
    result = await alone("inspect", str(file), "--html", str(page), "--json")
    assert (result.code, result.err, len(result.out)) == (0, [], 1)
    assert json.loads(result.out[0])["programme"]["name"] == "Atmos_Master"
    text = await asyncio.to_thread(page.read_text, "utf-8")
    assert text.startswith("<!doctype html>")
    assert "Atmos_Obj_1" in text


async def test_a_page_that_cannot_be_written_is_one_line(alone: Stagedoor, file: Path) -> None:
    result = await alone("inspect", str(file), "--html", "no/where.html")
    assert (result.code, result.out) == (1, [])
    assert result.err == ["error: NOT_WRITABLE: no/where.html: No such file or directory"]


async def test_the_samples_can_be_left_alone(alone: Stagedoor, file: Path) -> None:
    with_audio, without = await asyncio.gather(
        alone("inspect", str(file), "--json"), alone("inspect", str(file), "--json", "--no-audio")
    )
    assert json.loads(with_audio.out[0])["audio"]["frames"] == 24_000
    assert json.loads(without.out[0])["audio"] is None


async def test_problems_come_with_their_fix_errors_first(alone: Stagedoor) -> None:
    path = alone.folder / "broken.wav"
    wave = master(Spec(objects=1, seconds=0.5)).with_chunk("dbmd", None)
    await asyncio.to_thread(wave.write, path)
    await asyncio.to_thread(append, path)
    result = await alone("inspect", str(path))
    printed = " ".join("\n".join(result.out).split())
    assert result.code == 1
    assert printed.index("dbmd_missing") < printed.index("trailing_bytes")
    assert fix_of("dbmd_missing").split(".")[0] in printed


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"junk")


async def test_a_file_may_be_meant_as_something_else(alone: Stagedoor) -> None:
    path = alone.folder / "stereo.wav"
    await asyncio.to_thread(path.write_bytes, stereo_wave())
    result = await alone("inspect", str(path), "--master-type", "audio_track", "--json")
    assert json.loads(result.out[0])["master_type"] == "audio_track"


async def test_an_unknown_master_type_is_wrong_usage(alone: Stagedoor, file: Path) -> None:
    result = await alone("inspect", str(file), "--master-type", "cassette")
    assert (result.code, result.out) == (2, [])
    assert any("dolby_atmos" in line for line in result.err)


async def test_more_profiles_come_from_a_folder(alone: Stagedoor, file: Path) -> None:
    folder = alone.folder / "profiles"
    await asyncio.to_thread(folder.mkdir)
    own, broken = folder / "own.toml", folder / "broken.toml"
    await asyncio.to_thread(own.write_text, 'extends = "atmos"\ntitle = "Ours"\n')
    await asyncio.to_thread(broken.write_text, "title = ")
    used, refused = await asyncio.gather(
        alone("inspect", str(file), "--profile", "own", "--profiles-dir", str(folder), "--json"),
        alone("inspect", str(file), "--profile", "broken", STAGEDOOR_PROFILES_DIR=str(folder)),
    )
    assert json.loads(used.out[0])["profile"] == "own"
    assert (refused.code, refused.out) == (2, [])


async def test_what_is_not_there_is_said(alone: Stagedoor, file: Path) -> None:
    absent, unknown, nowhere = await asyncio.gather(
        alone("inspect", "nothing.wav"),
        alone("inspect", str(file), "--profile", "unheard_of"),
        alone("inspect", str(file), "--profiles-dir", "nowhere"),
    )
    assert absent.err == ["error: NOT_READABLE: nothing.wav: No such file or directory"]
    assert {each.code for each in (absent, unknown, nowhere)} == {2}
    assert any("unheard_of" in line for line in unknown.err)


@pytest.mark.parametrize("terminal", [True, False])
async def test_a_terminal_sees_how_far_it_is(file: Path, *, terminal: bool) -> None:
    """The bar is on standard error, and what is printed stays a program's to read."""
    reading, writing = pty.openpty() if terminal else os.pipe()
    environ = {**os.environ, "TERM": "xterm", "NO_COLOR": ""}
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("stagedoor"),
        *("inspect", str(file), "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=writing,
        env=environ,
    )
    os.close(writing)
    shown, (out, _) = await asyncio.gather(
        asyncio.to_thread(read_all, reading), process.communicate()
    )
    assert json.loads(out)["accepted"] is True
    assert (b"reading the structure" in shown) is bool(shown) is terminal


def read_all(descriptor: int) -> bytes:
    """Read to the end, which a terminal tells by an error."""
    read = bytearray()
    with os.fdopen(descriptor, "rb", buffering=0) as file, suppress(OSError):
        while block := file.read(4096):
            read += block
    return bytes(read)
