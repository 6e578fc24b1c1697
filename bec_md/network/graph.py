"""A batch of frames as one graph of atoms and directed edges.

Every atom within the cutoff of another one, periodic images included, is an edge; edges are sorted by
their receiver, so that an aggregation over neighbors is a sum over a contiguous block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bec_md.errors import DataError
from bec_md.network.sanity import check_cell, check_distances
from bec_md.structure.from_ase import as_frame
from bec_md.structure.neighbors import neighbor_list

if TYPE_CHECKING:
    from ase import Atoms

    from bec_md.structure import Frame


@dataclass(frozen=True, slots=True)
class Graph:
    """Atoms (N), directed edges (E) and frames (B) of a batch."""

    numbers: Tensor  # (N,) int64, atomic numbers
    frame: Tensor  # (N,) int64, frame of each atom
    receiver: Tensor  # (E,) int64, sorted
    sender: Tensor  # (E,) int64
    vectors: Tensor  # (E, 3) r_sender − r_receiver with the image shift, Å
    total_charge: Tensor  # (B,) e
    volume_ang3: Tensor  # (B,) Å³
    level: Tensor  # (B,) int64, index of the level of theory

    @property
    def n_atoms(self) -> int:
        """Number of atoms in the batch."""
        return self.numbers.shape[0]

    @property
    def n_frames(self) -> int:
        """Number of frames in the batch."""
        return self.total_charge.shape[0]

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Graph:
        """Copy on `device`, with floating-point fields in `dtype`."""
        moved = {}
        for field in fields(self):
            tensor: Tensor = getattr(self, field.name)
            target = dtype if tensor.is_floating_point() else None
            moved[field.name] = tensor.to(device=device, dtype=target, non_blocking=True)
        return replace(self, **moved)


def neighbor_pairs(
    positions_ang: NDArray[np.float64],
    cell_ang: NDArray[np.float64],
    pbc: NDArray[np.bool_],
    cutoff_ang: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """All directed pairs within the cutoff, images included, sorted by the first atom.

    Returns
    -------
    receiver, sender
        (E,) atom indices.
    vectors
        (E, 3) r_sender − r_receiver in Å.
    """
    check_cell(cell_ang, pbc)
    finder = neighbor_list()(cutoff=cutoff_ang, full_list=True, sorted=True)
    box = np.where(np.asarray(pbc)[:, None], cell_ang, 0.0) if not np.all(pbc) else cell_ang
    receiver, sender, vectors = finder.compute(
        points=np.ascontiguousarray(positions_ang), box=box, periodic=np.asarray(pbc), quantities="ijD"
    )
    check_distances(receiver, sender, vectors)
    return receiver.astype(np.int64), sender.astype(np.int64), vectors


def build_graph(
    frames: Sequence[Frame | Atoms], cutoff_ang: float, *, dtype: torch.dtype = torch.float32, level: int = 0
) -> Graph:
    """Graph of a batch of frames (`bec_md` frames or ASE atoms)."""
    numbers, frame_of_atom, receivers, senders, vectors = [], [], [], [], []
    charges, volumes = [], []
    offset = 0
    for index, frame in enumerate(frames):
        item = structure(frame, index)
        i, j, d = neighbor_pairs(item.positions_ang, item.cell_ang, item.pbc, cutoff_ang)
        numbers.append(item.numbers)
        frame_of_atom.append(np.full(len(item.numbers), index))
        receivers.append(i + offset)
        senders.append(j + offset)
        vectors.append(d)
        charges.append(item.total_charge)
        volumes.append(abs(np.linalg.det(item.cell_ang)))
        offset += len(item.numbers)
    return Graph(
        numbers=torch.from_numpy(np.concatenate(numbers)),
        frame=torch.from_numpy(np.concatenate(frame_of_atom)),
        receiver=torch.from_numpy(np.concatenate(receivers)),
        sender=torch.from_numpy(np.concatenate(senders)),
        vectors=torch.from_numpy(np.concatenate(vectors)).to(dtype),
        total_charge=torch.tensor(charges, dtype=dtype),
        volume_ang3=torch.tensor(volumes, dtype=dtype),
        level=torch.full((len(charges),), level, dtype=torch.int64),
    )


def concatenate(graphs: Sequence[Graph]) -> Graph:
    """One batch out of several."""
    atoms = np.cumsum([0, *(g.n_atoms for g in graphs)])
    frames = np.cumsum([0, *(g.n_frames for g in graphs)])
    return Graph(
        numbers=torch.cat([g.numbers for g in graphs]),
        frame=torch.cat([g.frame + int(f) for g, f in zip(graphs, frames[:-1], strict=True)]),
        receiver=torch.cat([g.receiver + int(n) for g, n in zip(graphs, atoms[:-1], strict=True)]),
        sender=torch.cat([g.sender + int(n) for g, n in zip(graphs, atoms[:-1], strict=True)]),
        vectors=torch.cat([g.vectors for g in graphs]),
        total_charge=torch.cat([g.total_charge for g in graphs]),
        volume_ang3=torch.cat([g.volume_ang3 for g in graphs]),
        level=torch.cat([g.level for g in graphs]),
    )


def structure(item: Frame | Atoms, index: int) -> Frame:
    """Return a frame, or ASE atoms as one, number `index` of a batch.

    Raises
    ------
    DataError
        If a position is not finite.
    """
    found = as_frame(item)
    if not np.isfinite(found.positions_ang).all():
        atom = int(np.argwhere(~np.isfinite(found.positions_ang))[0, 0])
        raise DataError(
            f"position of atom {atom} in frame {index} of the batch is not a finite number",
            "neighbors cannot be found from NaN or infinite coordinates",
            "check the trajectory at this frame: the simulation may have blown up",
        )
    return found
