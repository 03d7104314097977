"""Costs that are easy to reckon with."""

from __future__ import annotations

import pytest

from bench.scaling.costs import Costs


@pytest.fixture
def costs() -> Costs:
    """Round figures: a GB is downloaded in 4 s and judged in 4."""
    return Costs(
        masters_a_day=86_400,
        peak=1,
        master_gb=1,
        master_spread=0.5,
        api_create=0.01,
        api_job=0.05,
        api_beat=0.001,
        postgres_job=0.05,
        postgres_beat=0.001,
        postgres_cores=4,
        nats_job=0.05,
        nats_beat=0.001,
        nats_cores=2,
        fsync_seconds=0.001,
        round_trip_seconds=0.001,
        statements=4,
        short_beat_seconds=0.5,
        long_beat_seconds=10,
        download_slots=4,
        download_gb_per_second=0.25,
        download_per_gb=1,
        download_cores=1,
        download_link_gb_per_second=1,
        fetch_gb_per_second=1,
        hash_per_gb=1,
        inspect_per_gb=1.5,
        opinions=0.5,
        store_gb_per_second=2,
        store_parts_per_second=1000,
        part_gb=0.005,
        row_kb=5,
        rows_job=20,
        stored_job=9,
        rows_beat=1,
        wal_job_kb=10,
        wal_beat_kb=1,
        events_gb=1,
        events_kb=3,
    )
