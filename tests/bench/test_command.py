"""`bec-md bench` refuses what it cannot do, and measures what it is asked for."""

from __future__ import annotations

import json

import pytest

from bec_md.bench.measure import BenchSettings, run_benchmark
from bec_md.bench.tables import as_dict
from bec_md.cli.bench_command import parse_systems, parse_threads
from bec_md.errors import UsageError


@pytest.mark.parametrize("text", ["0", "one", "1,", "-1", "1;2"])
def test_thread_counts_are_positive_whole_numbers(text: str) -> None:
    with pytest.raises(UsageError, match="--threads"):
        parse_threads(text)


def test_threads_and_structures_are_lists() -> None:
    assert parse_threads("2,1") == (1, 2)
    assert parse_systems("water, quartz") == ("water", "quartz")
    with pytest.raises(UsageError, match="no structure 'ice'"):
        parse_systems("quartz,ice")


@pytest.mark.slow
def test_a_quick_run_measures_everything() -> None:
    said: list[str] = []
    settings = BenchSettings(model="universal", threads=(1,), systems=("quartz",), quick=True, rounds=3)
    result = run_benchmark(settings, said.append)
    (system,) = json.loads(json.dumps(as_dict(result)))["systems"]
    assert said == ["measuring quartz 72 atoms"]
    # quartz has 42 neighbors within 5 Å without thermal motion, which moves a few across the cutoff
    assert system["neighbors"] == pytest.approx(42, abs=3)
    assert {m["network"] for m in system["measurements"]} >= {"torch"}
    assert all(m["cpu_us_per_atom"] > 0 for m in system["measurements"])
