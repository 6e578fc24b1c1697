"""Neighbors found by PyTorch are those of vesin, and nothing is read back from the device on the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bec_md.network.device_neighbors import Found, SearchPlan, find_edges, plan_search
from bec_md.network.graph import neighbor_pairs

CUTOFF = 5.0
TRICLINIC = np.array([[4.6, 0.0, 0.0], [0.7, 5.1, 0.0], [-0.4, 0.9, 4.9]])
Periodic = tuple[bool, bool, bool]
STRUCTURES: dict[str, tuple[np.ndarray, Periodic, int]] = {
    "cell smaller than the cutoff": (np.eye(3) * 3.0, (True, True, True), 2),
    "triclinic": (TRICLINIC, (True, True, True), 5),
    "wider than the cutoff": (np.eye(3) * 6.0, (True, True, True), 20),
    "slab": (np.diag([8.0, 9.0, 30.0]), (True, True, False), 40),
    "molecule": (np.eye(3) * 30.0, (False, False, False), 30),
    "wide, oblique": (3.4 * TRICLINIC, (True, True, True), 300),
}


def frames_of(name: str) -> tuple[np.ndarray, np.ndarray, Periodic]:
    """Positions (3, N, 3), not wrapped, and the cells of three frames, which differ."""
    cell, periodic, n_atoms = STRUCTURES[name]
    rng = np.random.default_rng(4)
    cells = np.stack([cell * (1 + 0.01 * k) for k in range(3)])
    inside = rng.uniform(0, 1, (3, n_atoms, 3)) * (1.0 if any(periodic) else 0.4)
    turns = rng.integers(-2, 3, (3, n_atoms, 3)) * np.array(periodic)
    return (inside + turns) @ cells, cells, periodic


def search(positions: np.ndarray, cells: np.ndarray, plan: SearchPlan) -> Found:
    arrays = (positions, cells, np.linalg.inv(cells))
    return find_edges(*(torch.from_numpy(np.ascontiguousarray(a)) for a in arrays), plan)


def listed(receiver: np.ndarray, sender: np.ndarray, vectors: np.ndarray) -> list[tuple[float, ...]]:
    rows = zip(receiver.tolist(), sender.tolist(), np.round(vectors, 6).tolist(), strict=True)
    return sorted((i, j, *vector) for i, j, vector in rows)


@pytest.mark.parametrize(
    ("name", "cells_of"), [*((name, "all pairs") for name in STRUCTURES), ("wide, oblique", "linked cells")]
)
def test_edges_are_those_of_vesin(name: str, cells_of: str) -> None:
    positions, cells, periodic = frames_of(name)
    n_atoms = positions.shape[1]
    plan = plan_search(cells, periodic, n_atoms, CUTOFF, neighbors=400.0)
    assert plan is not None
    if cells_of == "linked cells":
        plan = replace(plan, grid=(3, 3, 3), occupancy=40)
    found = search(positions, cells, plan)
    assert plan.fits(found.n_atoms, int(found.edges), int(found.occupancy))
    pairs = [neighbor_pairs(*one, np.array(periodic), CUTOFF) for one in zip(positions, cells, strict=True)]
    expected = [
        row for k, (i, j, d) in enumerate(pairs) for row in listed(i + k * n_atoms, j + k * n_atoms, d)
    ]
    used = int(found.edges)
    arrays = (found.receiver[:used].numpy(), found.sender[:used].numpy(), found.vectors[:used].numpy())
    assert listed(*arrays) == sorted(expected)
    assert (torch.diff(found.receiver) >= 0).all()
    assert (found.vectors[used:].norm(dim=1) > CUTOFF).all()


@pytest.mark.parametrize("cells_of", ["all pairs", "linked cells"])
def test_too_little_room_is_noticed_and_then_suffices(cells_of: str) -> None:
    positions, cells, periodic = frames_of("wide, oblique")
    plan = plan_search(cells, periodic, positions.shape[1], CUTOFF, neighbors=3.0)
    assert plan is not None
    if cells_of == "linked cells":
        plan = replace(plan, grid=(3, 3, 3), occupancy=4)
    for _ in range(2):  # a fuller linked cell shows more edges
        found = search(positions, cells, plan)
        needed = (found.n_atoms, int(found.edges), int(found.occupancy))
        assert not plan.fits(*needed)
        plan = plan.enlarged(*needed)
        if plan.fits(*needed) and cells_of == "all pairs":
            break
    found = search(positions, cells, plan)
    assert plan.fits(found.n_atoms, int(found.edges), int(found.occupancy))


def test_the_search_is_chosen_by_size() -> None:
    def chosen(edge: float, n_atoms: int, periodic: Periodic = (True, True, True)) -> SearchPlan | None:
        return plan_search(np.eye(3)[None] * edge, periodic, n_atoms, CUTOFF, neighbors=50.0)

    water, quartz, large = chosen(12.4, 192), chosen(9.5, 72), chosen(60.0, 20_000)
    assert water is not None
    assert quartz is not None
    assert large is not None
    assert (water.images, water.grid) == ((0, 0, 0), None)
    assert (quartz.images, quartz.grid) == ((1, 1, 1), None)
    assert large.grid == (12, 12, 12)
    assert chosen(60.0, 20_000, (True, True, False)) is None
    assert chosen(0.0, 5) is None


@pytest.mark.parametrize("grid", [None, (3, 3, 3)])
def test_the_search_reads_nothing_back(grid: tuple[int, int, int] | None) -> None:
    # Tensors on the meta device have no values: reading one back, even a count, would fail.
    plan = SearchPlan(CUTOFF, (True, True, True), (1, 0, 2), grid, 10, 30.0)
    arrays = [
        torch.empty(shape, dtype=torch.float64, device="meta") for shape in ((4, 50, 3), *[(4, 3, 3)] * 2)
    ]
    found = find_edges(*arrays, plan)
    assert found.vectors.shape == (plan.capacity(200), 3)
