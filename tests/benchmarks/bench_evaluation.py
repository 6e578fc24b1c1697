"""Times for pytest-benchmark: one evaluation of each engine, and the parts around it.

    pytest tests/benchmarks/bench_evaluation.py --benchmark-only

The file is not collected by a plain `pytest`. Nothing is asserted about time: machines differ. For ratios
use `python -m tests.benchmarks.evaluation`, which measures everything in turn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bec_md.bench.structures import SYSTEMS, BenchSystem
from bec_md.network import load_model
from bec_md.network.graph import build_graph, neighbor_pairs
from bec_md.network.native import native_neighbors, native_status

SMALL = [group[0] for group in SYSTEMS.values()]
pytestmark = pytest.mark.parametrize("system", SMALL, ids=lambda system: system.label)
needs_compiler = pytest.mark.skipif(not native_status().available, reason="no C++ compiler")
OPTIONS = {"rounds": 7, "warmup_rounds": 1}


@pytest.mark.parametrize("engine", [pytest.param("native", marks=needs_compiler), "torch"])
def test_whole_path(benchmark: Any, system: BenchSystem, engine: str) -> None:
    model = load_model("universal", engine=engine, threads=1)  # type: ignore[arg-type]
    frames = system.frames(4)
    result = benchmark.pedantic(model.predict_batch, (frames,), **OPTIONS)
    assert result.born_effective_charges.shape == (4, system.n_atoms, 3, 3)


def test_edgewise(benchmark: Any, system: BenchSystem) -> None:
    from tests.benchmarks.evaluation.edgewise import predict, untrained

    frames = system.frames(1)
    charges = benchmark.pedantic(predict, (untrained(), frames), **OPTIONS)
    assert np.isfinite(charges).all()


@needs_compiler
def test_native_neighbors(benchmark: Any, system: BenchSystem) -> None:
    (atoms,) = system.frames(1)
    arguments = (atoms.positions, np.asarray(atoms.cell), atoms.pbc, 5.0)
    receiver, _, _ = benchmark.pedantic(native_neighbors, arguments, **OPTIONS)
    assert len(receiver) == len(neighbor_pairs(*arguments)[0])


def test_graph_for_torch(benchmark: Any, system: BenchSystem) -> None:
    graph = benchmark.pedantic(build_graph, (system.frames(4), 5.0), **OPTIONS)
    assert graph.n_atoms == 4 * system.n_atoms
