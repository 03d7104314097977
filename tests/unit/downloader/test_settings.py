"""What the environment says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.downloader.hashing import BLOCK_BYTES, RING_BLOCKS
from services.downloader.limits import Limits, RangeLimits
from services.downloader.settings import DownloaderSettings
from shared.blobs.local import LocalStore
from shared.blobs.objects import ObjectStore
from shared.origin import OriginPolicy


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in DownloaderSettings.model_fields:
        monkeypatch.delenv(f"STAGEDOOR_{name.upper()}", raising=False)


def test_defaults() -> None:
    settings = DownloaderSettings()
    assert settings.limits() == Limits()
    assert settings.policy() == OriginPolicy()
    assert settings.store_url() == (Path.cwd() / "var/blobs").as_uri()
    assert settings.ranges() == RangeLimits()
    assert (settings.download_slots, settings.per_tenant()) == (8, 8)
    assert re.fullmatch(r"Stagedoor/\d[\w.]*", settings.user_agent())


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGEDOOR_BLOBS_URL", "s3://bucket/prefix")
    monkeypatch.setenv("STAGEDOOR_DOWNLOAD_ALLOW_NETWORKS", "127.0.0.0/8, 10.0.0.0/8")
    monkeypatch.setenv("STAGEDOOR_DOWNLOAD_ALLOW_PORTS", "443,8000-8999")
    monkeypatch.setenv("STAGEDOOR_DOWNLOAD_MAX_BYTES", "1000")
    settings = DownloaderSettings()
    assert settings.store_url() == "s3://bucket/prefix"
    assert settings.policy().allows("10.0.0.1")
    assert settings.policy().allows_port(8443)
    assert settings.limits().max_bytes == 1000


def test_being_a_good_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGEDOOR_DOWNLOAD_CONTACT_URL", "https://label.example/bots?a=b")
    monkeypatch.setenv("STAGEDOOR_DOWNLOAD_PER_HOST", "2")
    monkeypatch.setenv("STAGEDOOR_DOWNLOAD_PER_TENANT", "3")
    settings = DownloaderSettings()
    assert settings.user_agent().endswith(" (+https://label.example/bots?a=b)")
    assert (settings.ranges().connections, settings.per_tenant()) == (2, 3)
    monkeypatch.setenv("STAGEDOOR_DOWNLOAD_USER_AGENT", "Other/1")
    assert DownloaderSettings().user_agent() == "Other/1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONNECTIONS", "7"),
        ("CONNECTIONS", "0"),
        ("PER_HOST", "0"),
        ("PER_TENANT", "-1"),
        ("MAX_BYTES_PER_SECOND", "-1"),
        ("KEEP_FREE_BYTES", "-1"),
        ("CONTACT_URL", "label.example"),
        ("CONTACT_URL", "https://a b"),
        ("CONTACT_URL", "https://a)"),
        ("ALLOW_NETWORKS", "10.0.0.0/33"),
        ("ALLOW_PORTS", "https"),
        ("MAX_BYTES", "0"),
        ("STALL_SECONDS", "0"),
    ],
)
def test_bad_values_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"STAGEDOOR_DOWNLOAD_{name}", value)
    # By its name, or by its value where several settings are read together; never with the others.
    with pytest.raises(ValidationError, match=f"download_{name.lower()}|{re.escape(repr(value))}"):
        DownloaderSettings()


@pytest.mark.parametrize("connections", [1, 3, 6])
@pytest.mark.parametrize("buffer_bytes", [LocalStore.buffer_bytes, ObjectStore.buffer_bytes])
def test_a_download_stays_below_32_megabytes(
    monkeypatch: pytest.MonkeyPatch, connections: int, buffer_bytes: int
) -> None:
    monkeypatch.setenv("STAGEDOOR_DOWNLOAD_CONNECTIONS", str(connections))
    ranges = DownloaderSettings().ranges(buffer_bytes)
    window = ranges.connections * ranges.segment_bytes
    assert window + RING_BLOCKS * BLOCK_BYTES + buffer_bytes <= 32_000_000
    assert ranges.segment_bytes >= 2_000_000
