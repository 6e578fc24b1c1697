"""Batches submitted ahead: the same numbers, no waiting in between, on the CPU and on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from torch.utils._python_dispatch import TorchDispatchMode

from bec_md.errors import BecMDWarning
from bec_md.network import load_model, torch_engine
from bec_md.network.device_neighbors import plan_search
from bec_md.network.lanes import Lanes
from bec_md.network.torch_engine import TorchEngine
from tests.network.conftest import make_network

SHAPE = {"sent_tensor_channels": 4}


def frames(count: int, n_atoms: int = 15, edge: float = 6.5, seed: int = 1) -> list[Atoms]:
    """Crowded boxes, a little different in size, in one of which atoms have left the cell."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(6)] * 3), axis=-1).reshape(-1, 3)[:n_atoms] / 6
    return [
        Atoms(
            [8, 14, 1] * (n_atoms // 3),
            positions=(grid + 0.03 * rng.normal(size=(n_atoms, 3)) + (2 if k == 1 else 0)) * edge,
            cell=np.eye(3) * edge * (1 + 0.01 * k),
            pbc=True,
            info={"total_charge": 1.0},
        )
        for k in range(count)
    ]


def engine(search: str = "device", device: str = "cpu", **options: Any) -> TorchEngine:
    return TorchEngine(make_network(**SHAPE), 1, device, double=True, search=search, **options)


def tensors_of(engine: TorchEngine, batch: list[Atoms]) -> tuple[np.ndarray, np.ndarray]:
    answers = engine.evaluate(batch)
    return answers["charges"], answers["eps_inf"]


# float64: sums over neighbors in another order differ by a few 1e-14 e
EXACT = 1e-11


@pytest.mark.parametrize("n_atoms", [15, 90])
def test_neighbors_of_the_device_and_of_the_host_give_the_same_tensors(n_atoms: int) -> None:
    batch = frames(4, n_atoms, edge=6.5 if n_atoms == 15 else 13.0)
    members, eps_inf = tensors_of(engine("device"), batch)
    expected_members, expected_eps = tensors_of(engine("host"), batch)
    assert members.shape == (4, 3, n_atoms, 3, 3)
    assert np.ptp(members) > 1.0
    np.testing.assert_allclose(members, expected_members, atol=EXACT)
    np.testing.assert_allclose(eps_inf, expected_eps, atol=EXACT)


@pytest.mark.parametrize("search", ["device", "host"])
def test_batches_of_any_size_submitted_ahead_give_the_same_tensors(search: str) -> None:
    structures = frames(7)
    one = engine("host")
    expected = np.concatenate([one.evaluate([item])["charges"] for item in structures])
    streaming = engine(search)
    for size in (1, 2, 3, 7):
        found, under_way = [], []
        for start in range(0, 7, size):
            under_way.append(streaming.submit(structures[start : start + size]))
            if len(under_way) == 2:
                found.append(under_way.pop(0).result()["charges"])
        found += [submitted.result()["charges"] for submitted in under_way]
        np.testing.assert_allclose(np.concatenate(found), expected, atol=EXACT)


def test_a_batch_with_more_edges_than_there_is_room_for_is_done_again() -> None:
    sparse, dense = frames(2, edge=9.0), frames(2, edge=4.5, seed=2)
    streaming = engine()
    streaming.evaluate(sparse)
    room = streaming._room
    first, second = streaming.submit(dense), streaming.submit(sparse)
    assert room is not None
    np.testing.assert_allclose(
        first.result()["charges"], engine("host").evaluate(dense)["charges"], atol=EXACT
    )
    np.testing.assert_allclose(
        second.result()["charges"], engine("host").evaluate(sparse)["charges"], atol=EXACT
    )
    assert streaming._room is not None
    assert streaming._room.edges_per_atom > room.edges_per_atom


def test_another_system_and_mixed_batches() -> None:
    streaming = engine()
    mixed = [frames(1)[0], frames(1)[0][::-1]]  # the same elements in another order: left to the host
    for batch in (frames(2), frames(2, 6), mixed, frames(3)):
        np.testing.assert_allclose(
            streaming.evaluate(batch)["charges"], engine("host").evaluate(batch)["charges"], atol=EXACT
        )


class RecordingLanes(Lanes):
    """Lanes of the CPU that write down what they are asked to do."""

    def __init__(self) -> None:
        super().__init__("cpu")
        self.calls: list[str] = []

    def upload(self, source: torch.Tensor, target: torch.Tensor) -> None:
        self.calls.append("upload")
        super().upload(source, target)

    def mark(self) -> Any:
        self.calls.append("mark")
        return len(self.calls)

    def wait(self, mark: Any) -> None:
        self.calls.append("wait")


def test_the_host_waits_once_per_batch_and_only_after_the_next_one_was_submitted() -> None:
    lanes = RecordingLanes()
    streaming = engine(lanes=lanes)
    under_way = [streaming.submit(frames(5))]
    for _ in range(3):
        under_way.append(streaming.submit(frames(5)))
        under_way.pop(0).result()
    under_way.pop().result()
    submit = ["upload", "mark"]
    assert lanes.calls == [*submit, *[*submit, "wait"] * 3, "wait"]
    assert len(streaming._free) == 2  # double buffers


class Copies(TorchDispatchMode):
    """Notes every operator that gets tensors of the host and returns one of the device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, operator: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = operator(*args, **(kwargs or {}))
        places = {item.device.type for item in args if isinstance(item, torch.Tensor) and item.dim() > 0}
        if isinstance(result, torch.Tensor) and result.device.type == "meta" and "cpu" in places:
            self.found.append(str(operator))
        return result


def test_a_batch_is_computed_without_reading_back_or_copying_tables() -> None:
    # On the meta device there are no values to wait for, so that whatever needed one would fail.
    batch = frames(3)
    cells = np.stack([np.asarray(item.cell) for item in batch])
    plan = plan_search(cells, (True, True, True), 15, 4.0, neighbors=60.0)
    assert plan is not None
    streaming = engine(device="meta")
    content = torch.empty(3 * (45 + 9 + 9 + 1 + 1), dtype=torch.float64, device="meta")
    numbers = torch.empty(15, dtype=torch.int64, device="meta")
    for _ in range(2):
        with Copies() as copies, torch.inference_mode():
            graph, counts = streaming.graph_of(content, numbers, 3, plan)
            output = streaming.network(graph)
    assert output["charges"].shape == (45, 3, 3, 3)
    assert counts.shape == (2,)
    assert copies.found == []  # in the second batch: tables stay where they are


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_reduced_precision_is_used_only_where_it_hardly_matters(
    precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = frames(2)
    exact = TorchEngine(make_network(**SHAPE), 1, "cpu").evaluate(batch)["charges"]
    monkeypatch.setattr(torch_engine, "PRECISION_TOLERANCE_E", -1.0)
    refused = TorchEngine(make_network(**SHAPE), 1, "cpu", precision=precision)
    with pytest.warns(BecMDWarning, match="stay in float32"):
        np.testing.assert_array_equal(refused.evaluate(batch)["charges"], exact)
    monkeypatch.setattr(torch_engine, "PRECISION_TOLERANCE_E", 1e9)
    used = TorchEngine(make_network(**SHAPE), 1, "cpu", precision=precision)
    used.evaluate(batch)
    assert used.precision == precision
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("name", ["silica", "water"])
def test_bundled_models_agree_with_the_native_engine(name: str) -> None:
    from bec_md.bench.structures import quartz, water
    from bec_md.network.native import native_status

    if not native_status().available:
        pytest.skip("no native evaluator")
    batch = [quartz(72, seed) if name == "silica" else water(81, seed) for seed in (1, 2)]
    native = load_model(name, engine="native").predict_batch(batch)
    model = load_model(name, engine="torch")
    assert isinstance(model.engine, TorchEngine)
    for search in ("host", "device"):
        model.engine.search = search
        found = model.submit(batch).result()
        # float32: sums over ~50 neighbors and 48 channels in another order
        np.testing.assert_allclose(found.born_effective_charges, native.born_effective_charges, atol=3e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
class TestOnCuda:
    def test_the_gpu_gives_the_tensors_of_the_cpu(self) -> None:
        batch = frames(5, 90, edge=13.0)
        expected = engine("host").evaluate(batch)["charges"]
        for search in ("host", "device"):
            found = engine(search, "cuda").evaluate(batch)["charges"]
            np.testing.assert_allclose(found, expected, atol=1e-9)  # float64, other order of additions

    def test_in_float32_within_a_millionth_of_e(self) -> None:
        from bec_md.bench.structures import SYSTEMS

        batch = SYSTEMS["quartz"][0].frames(3)
        expected = load_model("silica", engine="torch").predict_batch(batch)
        found = load_model("silica", device="cuda").predict_batch(batch)
        np.testing.assert_allclose(found.born_effective_charges, expected.born_effective_charges, atol=3e-6)

    def test_submitting_does_not_wait(self) -> None:
        streaming = engine("device", "cuda")
        batch = frames(5)
        streaming.evaluate(batch)  # buffers and tables exist from now on
        streaming.submit(batch).result()

        def submit_all(start: Callable[[list[Atoms]], Any]) -> list[Any]:
            torch.cuda.set_sync_debug_mode("error")  # whatever waits for the device raises
            try:
                return [start(batch), start(batch)]
            finally:
                torch.cuda.set_sync_debug_mode("default")

        for submitted in submit_all(streaming.submit):
            np.testing.assert_allclose(
                submitted.result()["charges"], engine("host").evaluate(batch)["charges"], atol=1e-9
            )
