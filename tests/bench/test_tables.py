"""Tables say what was measured, in every form."""

from __future__ import annotations

import json

import pytest

from bec_md.bench.ceilings import Ceilings
from bec_md.bench.clock import Timing
from bec_md.bench.measure import PYTHON, BenchResult, BenchSettings, SystemResult
from bec_md.bench.roofline import PARTS, work_per_atom
from bec_md.bench.structures import BenchSystem
from bec_md.bench.tables import as_dict, as_markdown, method, tables
from bec_md.network.config import NetworkConfig


def timing(us: float) -> Timing:
    return Timing((1e-4 * us,) * 3, (2e-4 * us,) * 3, work=100.0)


@pytest.fixture
def result() -> BenchResult:
    system = SystemResult(
        system=BenchSystem("quartz", 72),
        model="universal",
        neighbors=40.0,
        frames={"native": 56, "torch": 4, "edge-wise": 4},
        timings={("native", 1): timing(30), ("torch", 1): timing(300), ("edge-wise", 1): timing(1500)},
        ceilings=Ceilings(1e11, 8e10, 3e10, 8e10),
        work=work_per_atom(NetworkConfig(elements=(8, 14), levels=("pbe",)), 40.0),
        parts_us={**dict.fromkeys(PARTS, 5.0), PYTHON: 5.0},
    )
    return BenchResult(BenchSettings(threads=(1,)), (system,), "avx2")


def test_the_first_table_holds_the_ratios(result: BenchResult) -> None:
    table = tables(result)[0]
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["native"] == "30.0"
    assert row["ns per neighbor"] == "750"
    assert row["times faster"] == "50"
    assert float(row["times roofline"]) == pytest.approx(30.0 / result.systems[0].roofline_us, abs=0.01)


def test_json_repeats_the_tables_in_numbers(result: BenchResult) -> None:
    (system,) = json.loads(json.dumps(as_dict(result)))["systems"]
    assert system["edgewise_over_measured"] == pytest.approx(50.0)
    assert system["measurements"][0]["cpu_us_per_atom"] == pytest.approx(1500)
    assert [part["part"] for part in system["parts"]] == [*PARTS, PYTHON]


def test_markdown_has_every_table_and_row(result: BenchResult) -> None:
    text = as_markdown(result)
    for table in tables(result):
        assert f"**{table.title}**" in text
        for row in table.rows:
            assert " | ".join(row) in text


def test_without_the_native_engine_the_reference_is_what_users_get(result: BenchResult) -> None:
    from dataclasses import replace

    (system,) = result.systems
    timings = {key: value for key, value in system.timings.items() if key[0] != "native"}
    alone = replace(result, systems=(replace(system, timings=timings, parts_us={}),))
    titles = [table.title for table in tables(alone)]
    assert tables(alone)[0].columns[2] == "torch"
    assert not any("native" in title for title in titles[:2])


def test_the_method_is_said_in_words() -> None:
    assert "µs per atom" in method()
    assert "{" not in method()
