"""Counts of arithmetic, and the time at given ceilings."""

from __future__ import annotations

import pytest

from bec_md.bench.structures import quartz
from bec_md.network.config import NetworkConfig
from bec_md.network.native import native_status
from tests.benchmarks.evaluation.ceilings import Ceilings
from tests.benchmarks.evaluation.roofline import PARTS, Work, work_per_atom


@pytest.fixture(scope="module")
def config() -> NetworkConfig:
    return NetworkConfig(elements=(8, 14), levels=("pbe",), channels=16, sent_tensor_channels=16)


def test_work_takes_the_longer_one_of_computing_and_moving() -> None:
    ceilings = Ceilings(gemm_flop_s=1e11, skinny_flop_s=8e10, memory_bytes_s=1e10, cache_bytes_s=1e11)
    assert Work(flop=1e6).least_us(ceilings) == pytest.approx(10.0)
    assert Work(flop=1e5, memory_bytes=1e5).least_us(ceilings) == pytest.approx(10.0)
    assert Work(flop=1e5, cache_bytes=1e6, memory_bytes=1e5).least_us(ceilings) == pytest.approx(20.0)


def test_only_work_on_edges_grows_with_the_neighbors(config: NetworkConfig) -> None:
    few, many = work_per_atom(config, 20), work_per_atom(config, 40)
    for part in ("products", "mixing", "readout"):
        assert few[part] == many[part]
    for part in ("neighbors", "gather"):
        assert many[part].flop == pytest.approx(2 * few[part].flop)


def test_mixing_grows_with_the_square_of_the_channels(config: NetworkConfig) -> None:
    wide = config.model_copy(update={"channels": 32, "sent_tensor_channels": 32, "scalar_width": 128})
    narrow = work_per_atom(config, 40)
    doubled = work_per_atom(wide, 40)
    assert doubled["mixing"].flop == pytest.approx(4 * narrow["mixing"].flop)
    assert doubled["products"].flop == pytest.approx(2 * narrow["products"].flop)


def test_the_native_evaluator_counts_the_same(config: NetworkConfig, tmp_path) -> None:  # type: ignore[no-untyped-def]
    if not native_status().available:
        pytest.skip("no C++ compiler")
    from bec_md.network.model_file import save_model
    from bec_md.network.native import NativeModel
    from bec_md.network.native_library import ProfileStruct
    from bec_md.network.network import Network

    path = tmp_path / "model.safetensors"
    save_model(path, Network(config), {"name": "random"})
    profile = ProfileStruct()
    NativeModel(path, "pbe", (8, 14)).predict_frames([quartz(72)], profile=profile)
    work = work_per_atom(config, profile.edges / profile.atoms)
    assert set(work) == set(PARTS)
    # 16 channels fill the registers: no padding, so the products agree to the last coefficient. The evaluator
    # may pay for more in the other parts (seven operations for a spline, unused columns), never for less.
    assert profile.products_flop / profile.atoms == pytest.approx(work["products"].flop)
    for part in ("mixing", "gather"):
        counted = getattr(profile, f"{part}_flop") / profile.atoms
        assert work[part].flop <= 1.001 * counted
        assert counted < 1.2 * work[part].flop
