r"""Neighbors of a batch of frames found where the network runs: tensors in, tensors out, nothing read back.

The number of edges is not known before they are found, and asking for it would stop the device in every
batch. So there is room for a number of them that is estimated beforehand; what is left over is filled with
edges longer than the cutoff, which add exactly nothing, and how many there are comes back with the results.

Two searches, chosen by size:

- *images*: all pairs of a frame. With vectors wrapped to |f_k| ≤ 1/2 only images |s_k| ≤ ⌊r_c/h_k + 1/2⌋
  can be within the cutoff, h_k being the distance between lattice planes: none but the nearest one when the
  cell is wider than 2 r_c.
- *cells*: atoms are sorted into linked cells at least r_c wide, and 27 of them are searched; for large
  frames that are periodic and at least 3 r_c wide in all directions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bec_md.arrays import Array

#: Pairs per atom up to which all of them are tried.
MAX_PAIRS = 4096
#: Room beyond what was needed before.
SLACK = 1.1
#: Candidates in one search: PyTorch counts them with 32 bits.
MAX_CANDIDATES = 2**31 - 1


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """How to search, decided on the host from the cell alone.

    Parameters
    ----------
    cutoff_ang
        Å.
    periodic
        Directions that are.
    images
        Images on either side of the nearest one.
    grid
        Linked cells in each direction, or None to try all pairs.
    occupancy
        Room for so many atoms in a linked cell.
    edges_per_atom
        Room for so many edges.
    """

    cutoff_ang: float
    periodic: tuple[bool, bool, bool]
    images: tuple[int, int, int]
    grid: tuple[int, int, int] | None
    occupancy: int
    edges_per_atom: float

    def capacity(self, n_atoms: int) -> int:
        """Room for edges of `n_atoms`, a multiple of 256."""
        return 256 * math.ceil((self.edges_per_atom * n_atoms + 1) / 256)

    def with_room_of(self, other: SearchPlan) -> SearchPlan:
        """Return this plan with at least the room of another one."""
        return replace(
            self,
            occupancy=max(self.occupancy, other.occupancy),
            edges_per_atom=max(self.edges_per_atom, other.edges_per_atom),
        )

    def enlarged(self, n_atoms: int, edges: int, occupancy: int) -> SearchPlan:
        """Return a plan with room for so many edges, and atoms in a linked cell."""
        return replace(
            self,
            occupancy=max(self.occupancy, math.ceil(SLACK * occupancy)),
            edges_per_atom=max(self.edges_per_atom, SLACK * edges / n_atoms),
        )

    def fits(self, n_atoms: int, edges: int, occupancy: int) -> bool:
        """Whether there was room for everything."""
        return edges <= self.capacity(n_atoms) and occupancy <= self.occupancy


@dataclass(frozen=True, slots=True)
class Found:
    """Edges of a batch, and how many there are."""

    receiver: Tensor  # (capacity,) int64, sorted
    sender: Tensor  # (capacity,) int64
    vectors: Tensor  # (capacity, 3) float64, r_sender − r_receiver in Å; longer than the cutoff where unused
    edges: Tensor  # () int64, edges there are, whether there was room or not
    occupancy: Tensor  # () int64, atoms in the fullest linked cell
    n_atoms: int


def plane_distances(cells_ang: Array) -> Array:
    """Distances between lattice planes, (…, 3) in Å, of cells (…, 3, 3)."""
    inverse = np.linalg.inv(cells_ang)
    return np.asarray(1.0 / np.linalg.norm(inverse, axis=-2), dtype=np.float64)


def plan_search(
    cells_ang: Array, periodic: tuple[bool, bool, bool], n_atoms: int, cutoff_ang: float, neighbors: float
) -> SearchPlan | None:
    """Choose a search for frames of `n_atoms` with cells (F, 3, 3) and about so many neighbors of an atom.

    Returns
    -------
    None when the host should search: without a cell, or for large frames that linked cells do not suit.
    """
    if not np.isfinite(cells_ang).all() or (np.abs(np.linalg.det(cells_ang)) < 1e-6).any():
        return None
    heights = plane_distances(cells_ang).min(axis=0)
    reach = np.floor(cutoff_ang / heights + 0.5).astype(int)
    x, y, z = (int(n) if p else 0 for n, p in zip(reach, periodic, strict=True))
    plan = SearchPlan(cutoff_ang, periodic, (x, y, z), None, 0, SLACK * max(1.0, neighbors))
    tried, total = n_atoms * (2 * x + 1) * (2 * y + 1) * (2 * z + 1), n_atoms * len(cells_ang)
    if tried <= MAX_PAIRS:
        return plan if tried * total <= MAX_CANDIDATES else None
    a, b, c = (int(n) for n in np.floor(heights / cutoff_ang))
    if not all(periodic) or min(a, b, c) < 3:
        return None
    occupancy = 8 + math.ceil(1.5 * n_atoms / (a * b * c))
    if 27 * occupancy * total > MAX_CANDIDATES:
        return None
    return replace(plan, grid=(a, b, c), occupancy=occupancy)


def find_edges(positions: Tensor, cells: Tensor, inverses: Tensor, plan: SearchPlan) -> Found:
    """Find all directed edges within the cutoff, periodic images included.

    Parameters
    ----------
    positions
        (F, N, 3) float64, Å, wrapped or not.
    cells, inverses
        (F, 3, 3) float64, rows are lattice vectors; and their inverses.
    plan
        Of `plan_search`, with room for the edges.
    """
    if plan.grid is None:
        return _all_pairs(positions, cells, inverses, plan)
    return _linked_cells(positions, cells, inverses, plan, plan.grid)


def _all_pairs(positions: Tensor, cells: Tensor, inverses: Tensor, plan: SearchPlan) -> Found:
    n_frames, n_atoms = positions.shape[:2]
    images = _shifts(plan.images, positions)  # (S, 3)
    offsets = images @ cells  # (F, S, 3)
    pairs = positions[:, None] - positions[:, :, None]  # (F, i, j, 3)
    pairs = _nearest(pairs, cells[:, None], inverses[:, None], plan.periodic)
    near = [
        (pairs + offsets[:, None, None, s]).square().sum(dim=-1) < plan.cutoff_ang**2
        for s in range(len(images))
    ]
    itself = torch.eye(n_atoms, dtype=torch.bool, device=positions.device)[:, :, None]
    home = (images == 0).all(dim=1)
    mask = torch.stack(near, dim=-1) & ~(itself & home)  # (F, i, j, S)
    found = torch.nonzero_static(mask, size=plan.capacity(n_frames * n_atoms), fill_value=-1)
    frame, i, j, s = found.clamp(min=0).unbind(dim=1)
    vectors = pairs[frame, i, j] + offsets[frame, s]
    first = frame * n_atoms
    return _packed(first + i, first + j, vectors, found[:, 0] >= 0, mask, plan)


def _linked_cells(
    positions: Tensor, cells: Tensor, inverses: Tensor, plan: SearchPlan, grid: tuple[int, int, int]
) -> Found:
    n_frames, n_atoms = positions.shape[:2]
    whole = torch.ones_like(positions, dtype=torch.int64)
    place = positions @ inverses  # (F, N, 3)
    counts = torch.stack([n * whole[..., k] for k, n in enumerate(grid)], dim=-1)  # (F, N, 3)
    place = torch.minimum(((place - torch.floor(place)) * counts).long(), counts - 1)
    first_cell = math.prod(grid) * torch.arange(n_frames, device=positions.device)[:, None]  # (F, 1)
    members, fullest = _members(
        (_number(place, grid) + first_cell).flatten(), n_frames * math.prod(grid), plan
    )
    around = _shifts((1, 1, 1), positions).long()  # (27, 3)
    searched = torch.remainder(place[:, :, None] + around, counts[:, :, None])  # (F, N, 27, 3)
    searched = _number(searched, grid) + first_cell[:, :, None]
    others = members[searched].flatten(2)  # (F, N, 27·M)
    pairs = positions.flatten(0, 1)[others.clamp(min=0)] - positions[:, :, None]  # (F, N, 27·M, 3)
    pairs = _nearest(pairs, cells[:, None], inverses[:, None], plan.periodic)
    near = pairs.square().sum(dim=-1) < plan.cutoff_ang**2
    itself = torch.arange(n_frames * n_atoms, device=positions.device).view(n_frames, n_atoms)
    mask = near & (others >= 0) & (others != itself[:, :, None])
    found = torch.nonzero_static(mask, size=plan.capacity(n_frames * n_atoms), fill_value=-1)
    frame, i, column = found.clamp(min=0).unbind(dim=1)
    sender = others[frame, i, column].clamp(min=0)
    vectors = pairs[frame, i, column]
    return _packed(frame * n_atoms + i, sender, vectors, found[:, 0] >= 0, mask, plan, fullest)


def _members(cell: Tensor, n_cells: int, plan: SearchPlan) -> tuple[Tensor, Tensor]:
    """Atoms in each linked cell, (cells, M) with −1 where there is none, and the largest number of them."""
    order = torch.argsort(cell, stable=True)
    in_order = cell[order]
    filled = torch.zeros(n_cells, dtype=torch.int64, device=cell.device)
    filled = filled.index_add(0, in_order, torch.ones_like(in_order))
    first = torch.cumsum(filled, dim=0) - filled
    rank = torch.arange(len(cell), device=cell.device) - first[in_order]
    # those for whom there is no room go to one more column, which nobody reads
    table = torch.full((n_cells, plan.occupancy + 1), -1, dtype=torch.int64, device=cell.device)
    table = table.index_put((in_order, rank.clamp(max=plan.occupancy)), order)
    return table[:, : plan.occupancy], filled.max()


def _number(place: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """Number of a linked cell from its place (…, 3)."""
    x, y, z = place.unbind(dim=-1)
    return (x * grid[1] + y) * grid[2] + z


def _shifts(reach: tuple[int, int, int], like: Tensor) -> Tensor:
    """All (s_x, s_y, s_z) with |s_k| ≤ reach_k, (S, 3)."""
    ranges = [torch.arange(-n, n + 1, dtype=like.dtype, device=like.device) for n in reach]
    return torch.cartesian_prod(*ranges)


def _nearest(vectors: Tensor, cells: Tensor, inverses: Tensor, periodic: tuple[bool, bool, bool]) -> Tensor:
    """Wrap vectors (F, …, 3) to |f_k| ≤ 1/2 along periodic directions; cells are (F, 1, 3, 3)."""
    turns = torch.round(vectors @ inverses)
    turns = torch.stack(
        [turns[..., k] if p else torch.zeros_like(turns[..., k]) for k, p in enumerate(periodic)], dim=-1
    )
    return vectors - turns @ cells


def _packed(
    receiver: Tensor,
    sender: Tensor,
    vectors: Tensor,
    used: Tensor,
    mask: Tensor,
    plan: SearchPlan,
    fullest: Tensor | None = None,
) -> Found:
    """Fill what is left over with edges of the last atom to itself, twice as long as the cutoff."""
    n_atoms = mask.shape[0] * mask.shape[1]
    beyond = torch.zeros_like(vectors)
    beyond[:, 0] = 2 * plan.cutoff_ang
    edges = mask.sum()
    return Found(
        receiver=torch.where(used, receiver, n_atoms - 1),
        sender=torch.where(used, sender, n_atoms - 1),
        vectors=torch.where(used[:, None], vectors, beyond),
        edges=edges,
        occupancy=torch.zeros_like(edges) if fullest is None else fullest,
        n_atoms=n_atoms,
    )
