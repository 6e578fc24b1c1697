"""Tables say what was measured, in every form."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bec_md.bench.clock import Timing
from bec_md.bench.measure import BenchResult, BenchSettings, SystemResult
from bec_md.bench.structures import BenchSystem
from bec_md.bench.tables import as_dict, as_markdown, method, tables


def timing(us: float) -> Timing:
    return Timing((1e-4 * us,) * 3, (2e-4 * us,) * 3, work=100.0)


@pytest.fixture
def result() -> BenchResult:
    timings = {("native", 1): timing(30), ("torch", 1): timing(300)}
    frames = {"native": 56, "torch": 4}
    system = SystemResult(BenchSystem("quartz", 72), "universal", 40.0, frames, timings)
    return BenchResult(BenchSettings(threads=(1,)), (system,), "avx2")


def test_the_first_table_holds_the_ratios(result: BenchResult) -> None:
    table = tables(result)[0]
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["native"] == "30.0"
    assert row["ns per neighbor"] == "750"
    assert row["times faster"] == "10"


def test_json_repeats_the_tables_in_numbers(result: BenchResult) -> None:
    (system,) = json.loads(json.dumps(as_dict(result)))["systems"]
    assert [m["cpu_us_per_atom"] for m in system["measurements"]] == pytest.approx([30, 300])
    assert [m["wall_us_per_atom"] for m in system["measurements"]] == pytest.approx([60, 600])


def test_markdown_has_every_table_and_row(result: BenchResult) -> None:
    text = as_markdown(result.systems, tables(result))
    for table in tables(result):
        assert f"**{table.title}**" in text
        for row in table.rows:
            assert " | ".join(row) in text


def test_without_the_native_engine_the_reference_is_what_users_get(result: BenchResult) -> None:
    (system,) = result.systems
    alone = replace(system, timings={key: t for key, t in system.timings.items() if key[0] != "native"})
    shown = tables(replace(result, systems=(alone,)))
    assert shown[0].columns[2] == "torch"
    assert not any("native" in table.title for table in shown)


def test_the_method_is_said_in_words() -> None:
    assert "µs per atom" in method()
    assert "{" not in method()
