"""Tables hold the ratios to the rival and to the roofline."""

from __future__ import annotations

import pytest

from bec_md.bench.clock import Timing
from bec_md.bench.structures import BenchSystem
from bec_md.network.config import NetworkConfig
from tests.benchmarks.evaluation.ceilings import Ceilings
from tests.benchmarks.evaluation.measure import PYTHON, Measured
from tests.benchmarks.evaluation.roofline import PARTS, work_per_atom
from tests.benchmarks.evaluation.tables import tables


def timing(us: float) -> Timing:
    return Timing((1e-4 * us,) * 3, (2e-4 * us,) * 3, work=100.0)


def test_ratios_and_parts() -> None:
    system = Measured(
        system=BenchSystem("quartz", 72),
        model="universal",
        neighbors=40.0,
        frames={"native": 56, "torch": 4, "edge-wise": 4},
        timings={("native", 1): timing(30), ("torch", 1): timing(300), ("edge-wise", 1): timing(1500)},
        ceilings=Ceilings(1e11, 8e10, 3e10, 8e10),
        work=work_per_atom(NetworkConfig(elements=(8, 14), levels=("pbe",)), 40.0),
        parts_us={**dict.fromkeys(PARTS, 5.0), PYTHON: 5.0},
    )
    first, _, parts, machine = tables([system], 1, "avx2")
    row = dict(zip(first.columns, first.rows[0], strict=True))
    assert row["times faster"] == "50"
    assert float(row["times roofline"]) == pytest.approx(30.0 / system.roofline_us, abs=0.01)
    assert [cells[1] for cells in parts.rows] == [*PARTS, PYTHON]
    assert sum(float(cells[3].rstrip(" %")) for cells in parts.rows) == pytest.approx(100, abs=3)
    assert machine.rows[-1][1] == "avx2"
