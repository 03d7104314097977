"""The secret keys: what they seal opens with them, at its place, and nowhere else."""

from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from services.api.secrets import FILE, KEY_BYTES, SecretKeys, Unreadable
from services.api.settings import ApiSettings

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = (base64.b64encode(bytes([n]) * KEY_BYTES).decode() for n in (1, 2))
PLACE = b"default/task"
TEXT = b"Bearer open sesame"


def test_what_is_sealed_opens_at_its_place_only() -> None:
    keys = SecretKeys.parse(NEW)
    sealed = keys.seal(TEXT, PLACE)
    assert TEXT not in sealed
    assert keys.open(sealed, PLACE) == TEXT
    assert keys.seal(TEXT, PLACE) != sealed
    with pytest.raises(Unreadable):
        keys.open(sealed, b"other/task")


@pytest.mark.parametrize("position", [0, 1, 12, 13, 20, -1])
def test_no_bit_may_change(position: int) -> None:
    keys = SecretKeys.parse(NEW)
    changed = bytearray(keys.seal(TEXT, PLACE))
    changed[position] ^= 1
    with pytest.raises(Unreadable):
        keys.open(bytes(changed), PLACE)


@pytest.mark.parametrize("length", [0, 1, 12, 13, 28])
def test_what_was_cut_is_unreadable(length: int) -> None:
    keys = SecretKeys.parse(NEW)
    with pytest.raises(Unreadable):
        keys.open(keys.seal(TEXT, PLACE)[:length], PLACE)


def test_the_first_key_seals_and_all_open() -> None:
    before, both, after = (SecretKeys.parse(text) for text in (OLD, f"{NEW}, {OLD}", NEW))
    sealed = before.seal(TEXT, PLACE)
    assert both.open(sealed, PLACE) == TEXT
    assert after.open(both.seal(TEXT, PLACE), PLACE) == TEXT
    with pytest.raises(Unreadable):
        after.open(sealed, PLACE)


def test_each_purpose_has_a_key_of_its_own() -> None:
    both = SecretKeys.parse(f"{NEW},{OLD}")
    assert both.derived(b"a") == next(both.all_derived(b"a")) != both.derived(b"b")
    assert [*both.all_derived(b"a")][1] == SecretKeys.parse(OLD).derived(b"a")
    assert both.derived(b"a") not in both.keys
    assert both.fingerprint("x") != SecretKeys.parse(OLD).fingerprint("x")


def test_nothing_shows_a_key() -> None:
    assert repr(SecretKeys.parse(NEW)) == "SecretKeys()"
    with pytest.raises(ValidationError) as caught:
        ApiSettings(secrets_key=NEW[:20], _env_file=None)  # type: ignore[call-arg, arg-type] # as the environment gives it
    assert NEW[:8] not in str(caught.value)
    assert "32 bytes in Base64" in str(caught.value)
    assert NEW not in repr(ApiSettings(secrets_key=NEW))  # type: ignore[arg-type] # as above


@pytest.mark.parametrize("text", ["", "x", NEW[:-4], f"{NEW},", f"{NEW} {OLD}", "é" * 44])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="32 bytes in Base64"):
        SecretKeys.parse(text)


def test_the_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        loaded = {keys.keys for keys in pool.map(SecretKeys.load, [tmp_path] * 16)}
    assert len(loaded) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert ApiSettings(data_dir=tmp_path).keys().keys in loaded
    assert ApiSettings(data_dir=tmp_path, secrets_key=NEW).keys() == SecretKeys.parse(NEW)  # type: ignore[arg-type] # as above


def test_a_broken_file_is_named_and_kept(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("broken")
    with pytest.raises(OSError, match=r"secrets\.key: a secret key is"):
        SecretKeys.load(tmp_path)
    assert (tmp_path / FILE).read_text() == "broken"
