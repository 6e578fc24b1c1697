"""Graphs and labels of many frames, stored flat, and the batches cut out of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.structure.names import CHARGES, EPS_INF

if TYPE_CHECKING:
    from bec_md.network.graph import Graph
    from bec_md.structure import Frame


@dataclass(frozen=True, slots=True)
class Target:
    """One property that networks learn: where its labels are, and whether they are of atoms or of frames."""

    label: str  # in `Frame.labels`
    per_atom: bool


#: By the names of the outputs of a network; `bec_md.training.objective` has a row of the loss for each.
TARGETS = {"charges": Target(CHARGES, per_atom=True), "eps_inf": Target(EPS_INF, per_atom=False)}


@dataclass(frozen=True, slots=True)
class Labels:
    """What a property should be: tensors of atoms or frames, and how much each counts in the loss."""

    values: Tensor  # (N or B, 3, 3); the unit matrix where there is no label
    weight: Tensor  # (N or B,), zero where there is no label

    def __getitem__(self, rows: Tensor) -> Labels:
        return Labels(self.values[rows], self.weight[rows])


@dataclass(frozen=True, slots=True)
class Batch:
    """One graph of B frames with N atoms, with what the network should say about it, by name."""

    graph: Graph
    labels: Mapping[str, Labels]


@dataclass(frozen=True, slots=True)
class GraphDataset:
    """Frames stored end to end: any subset becomes a batch by a few gathers, on CPU and GPU alike."""

    numbers: Tensor  # (N,) int64
    receiver: Tensor  # (E,) int64, counted from the first atom of the frame
    sender: Tensor  # (E,) int64, counted from the first atom of the frame
    vectors: Tensor  # (E, 3) Å
    total_charge: Tensor  # (B,) e
    volume_ang3: Tensor  # (B,)
    level: Tensor  # (B,) int64
    n_atoms: Tensor  # (B,) int64
    n_edges: Tensor  # (B,) int64
    atom_start: Tensor  # (B,) int64
    edge_start: Tensor  # (B,) int64
    labels: Mapping[str, Labels]  # by the names of `TARGETS`

    def __len__(self) -> int:
        return self.n_atoms.shape[0]

    @property
    def edge_counts(self) -> NDArray[np.int64]:
        """(B,) edges of each frame."""
        counts: NDArray[np.int64] = self.n_edges.cpu().numpy()
        return counts

    def to(self, device: torch.device | str) -> GraphDataset:
        """Return a copy on `device`."""
        moved = {name: getattr(self, name).to(device) for name in _tensors()}
        labels = {k: Labels(v.values.to(device), v.weight.to(device)) for k, v in self.labels.items()}
        return replace(self, **moved, labels=labels)

    def batch(self, frames: Sequence[int] | NDArray[np.int64]) -> Batch:
        """Cut out frames, in the given order; a frame may occur more than once."""
        from bec_md.network.graph import Graph

        pick = torch.as_tensor(np.asarray(frames, dtype=np.int64), device=self.n_atoms.device)
        n, e = self.n_atoms[pick], self.n_edges[pick]
        frame = torch.repeat_interleave(torch.arange(len(pick), device=n.device), n)
        first = torch.cumsum(n, 0) - n  # (B,) first atom of each frame in the batch
        atoms = _ranges(self.atom_start[pick], n)
        edges = _ranges(self.edge_start[pick], e)
        shift = torch.repeat_interleave(first, e)
        graph = Graph(
            numbers=self.numbers[atoms],
            frame=frame,
            receiver=self.receiver[edges] + shift,
            sender=self.sender[edges] + shift,
            vectors=self.vectors[edges],
            total_charge=self.total_charge[pick],
            volume_ang3=self.volume_ang3[pick],
            level=self.level[pick],
        )
        rows = {True: atoms, False: pick}
        return Batch(graph, {name: self.labels[name][rows[t.per_atom]] for name, t in TARGETS.items()})


def _tensors() -> list[str]:
    """Names of the fields of a data set that are tensors."""
    return [item.name for item in fields(GraphDataset) if item.name != "labels"]


def _ranges(start: Tensor, count: Tensor) -> Tensor:
    """Concatenate start[i], start[i]+1, …, start[i]+count[i]−1."""
    ends = torch.cumsum(count, 0)
    total = int(ends[-1]) if len(ends) else 0
    within = torch.arange(total, device=start.device) - torch.repeat_interleave(ends - count, count)
    return torch.repeat_interleave(start, count) + within


def _graph_of(frame: Frame, cutoff_ang: float, dtype: torch.dtype, name: str) -> Graph:
    """Find the neighbors of one frame; an error has its place."""
    from bec_md.network.graph import build_graph

    try:
        return build_graph([frame], cutoff_ang, dtype=dtype)
    except DataError as error:
        raise DataError(f"{name}, frame {frame.index}: {error.what}", error.why, error.fix) from None


def build_dataset(
    frames: Sequence[Frame],
    cutoff_ang: float,
    *,
    level: int,
    weight: float = 1.0,
    per: str = "atom",
    dtype: torch.dtype = torch.float32,
    name: str = "data",
) -> GraphDataset:
    """Find the neighbors of every frame once and store the graphs with their labels.

    Parameters
    ----------
    frames
        Labelled structures, at least one.
    cutoff_ang
        Cutoff of the network.
    level
        Index of the level of theory.
    weight
        Factor of every loss term.
    per
        ``atom``, ``frame`` or ``root``: a frame counts as N, 1 or √N.
    dtype
        Floating-point type of vectors and labels.
    name
        Of the file, for messages.

    Raises
    ------
    DataError
        If a cell or a distance has no meaning.
    """
    graphs = [_graph_of(frame, cutoff_ang, dtype, name) for frame in frames]
    n_atoms = torch.tensor([g.n_atoms for g in graphs])
    n_edges = torch.tensor([g.receiver.shape[0] for g in graphs])
    exponent = {"atom": 0.0, "root": -0.5, "frame": -1.0}[per]
    per_atom = weight * n_atoms.to(torch.float64) ** exponent
    labels = {}
    for name, target in TARGETS.items():
        known = torch.tensor([target.label in frame.labels for frame in frames])
        shapes = [(frame.n_atoms, 3, 3) if target.per_atom else (3, 3) for frame in frames]
        parts = [
            frame.labels.get(target.label, np.broadcast_to(np.eye(3), shape))
            for frame, shape in zip(frames, shapes, strict=True)
        ]
        values = torch.from_numpy(np.concatenate(parts) if target.per_atom else np.stack(parts))
        counts = torch.repeat_interleave(per_atom * known, n_atoms) if target.per_atom else weight * known
        labels[name] = Labels(values.to(dtype), counts.to(dtype))
    return GraphDataset(
        numbers=torch.cat([g.numbers for g in graphs]),
        receiver=torch.cat([g.receiver for g in graphs]),
        sender=torch.cat([g.sender for g in graphs]),
        vectors=torch.cat([g.vectors for g in graphs]),
        total_charge=torch.cat([g.total_charge for g in graphs]),
        volume_ang3=torch.cat([g.volume_ang3 for g in graphs]),
        level=torch.full((len(graphs),), level, dtype=torch.int64),
        n_atoms=n_atoms,
        n_edges=n_edges,
        atom_start=torch.cumsum(n_atoms, 0) - n_atoms,
        edge_start=torch.cumsum(n_edges, 0) - n_edges,
        labels=labels,
    )


def join_datasets(parts: Sequence[GraphDataset]) -> GraphDataset:
    """Put several data sets one after the other."""
    names = [name for name in _tensors() if not name.endswith("_start")]
    joined = {name: torch.cat([getattr(part, name) for part in parts]) for name in names}
    n_atoms, n_edges = joined["n_atoms"], joined["n_edges"]
    return GraphDataset(
        **joined,
        atom_start=torch.cumsum(n_atoms, 0) - n_atoms,
        edge_start=torch.cumsum(n_edges, 0) - n_edges,
        labels={
            name: Labels(
                torch.cat([part.labels[name].values for part in parts]),
                torch.cat([part.labels[name].weight for part in parts]),
            )
            for name in TARGETS
        },
    )


def weight_by_element(dataset: GraphDataset, power: float) -> GraphDataset:
    """Multiply the weight of atoms by (count of their element)^−power, mean one, within [1/10, 10]."""
    if power == 0.0:
        return dataset
    counts = torch.bincount(dataset.numbers, minlength=119).clamp(min=1).to(torch.float64)
    factor = counts[dataset.numbers] ** -power
    factor = (factor / factor.mean()).clamp(0.1, 10.0)
    known = dataset.labels["charges"]
    weighted = Labels(known.values, known.weight * factor.to(known.weight))
    return replace(dataset, labels={**dataset.labels, "charges": weighted})


def element_means(dataset: GraphDataset) -> dict[int, float]:
    """Mean of tr Z/3 for each element, e: the reference from which a network learns deviations."""
    trace = torch.einsum("naa->n", dataset.labels["charges"].values) / 3
    return {int(z): float(trace[dataset.numbers == z].mean()) for z in torch.unique(dataset.numbers).tolist()}
