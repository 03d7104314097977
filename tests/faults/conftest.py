"""Fixtures of the fault suite, its marker and its seed; the guide is tests/support/faults."""

from __future__ import annotations

import os
import random
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.faults import FLEET, LAPTOP, running_system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.faults import System

HERE = Path(__file__).parent
SEED = os.environ.setdefault("STAGEDOOR_FAULTS_SEED", str(secrets.randbelow(1_000_000)))


def pytest_report_header() -> str:
    """Say with which seed this run can be repeated."""
    return f"faults: STAGEDOOR_FAULTS_SEED={SEED}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here: it breaks processes, and is run by ``make faults`` only."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Randomness of this test alone, which the printed seed repeats."""
    request.node.add_report_section("setup", "seed", f"STAGEDOOR_FAULTS_SEED={SEED}")
    return random.Random(f"{SEED} {request.node.nodeid}")


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """SQLite, a folder, one process of each service; for tests that leave it healthy."""
    with running_system(tmp_path_factory.mktemp("laptop"), LAPTOP) as system:
        yield system


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """PostgreSQL, S3, three replicas of the API, two workers of each stage; as ``laptop``."""
    with running_system(tmp_path_factory.mktemp("fleet"), FLEET) as system:
        yield system


@pytest.fixture(scope="module", params=["laptop", "fleet"])
def system(request: pytest.FixtureRequest) -> System:
    """Both, one after the other."""
    found: System = request.getfixturevalue(request.param)
    return found
