r"""The network in PyTorch: the reference on the CPU, and the way to a GPU.

A batch is *submitted* and its result collected later. On a GPU the host prepares the next batch meanwhile:

- positions and cells of batch k + 1 are copied from one of two pinned buffers while batch k is computed;
- neighbors are found on the device (`bec_md.network.device_neighbors`), or on the host for unusual cells;
- results come back through pinned buffers, and collecting them is the only time that the host waits: once
  for each batch, never for a frame.

On the CPU the same code runs step by step.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bec_md.arrays import Array
from bec_md.errors import BecMDWarning
from bec_md.network.device_neighbors import SearchPlan, find_edges, plan_search
from bec_md.network.graph import Graph, build_graph, neighbor_pairs, structure
from bec_md.network.lanes import Lanes
from bec_md.network.readouts.dipole import Dipole
from bec_md.network.request import TENSORS, Answers, Request
from bec_md.pending import Pending

if TYPE_CHECKING:
    from ase import Atoms

    from bec_md.network.network import Network
    from bec_md.structure import Frame

Search = Literal["auto", "host", "device"]
Precision = Literal["float32", "tf32", "bfloat16"]

#: Names of PyTorch for the precision of matrix products.
MATMUL: dict[Precision, str] = {"float32": "highest", "tf32": "high", "bfloat16": "medium"}
#: Atoms in one graph of a network whose derivatives are wanted: about 1 MB each.
BACKWARD_ATOMS, BACKWARD_ATOMS_GPU = 300, 20_000
#: Largest deviation from float32 up to which another precision is used, e.
PRECISION_TOLERANCE_E = 1e-4


@dataclass
class _Slot:
    """Buffers of one batch under way; two of them when batches are submitted ahead."""

    staged: Tensor | None = None  # host
    uploaded: Tensor | None = None  # device
    results: Tensor | None = None  # host
    counts: Tensor | None = None  # host: edges, atoms in a linked cell
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)  # of the result
    kept: list[Any] = field(default_factory=list)  # what copies under way still need


@dataclass(frozen=True)
class _Batch:
    """F frames of the same N atoms, as one array that goes to the device."""

    n_frames: int
    numbers: Tensor  # (N,) int64, on the device
    content: Array  # positions (F, N, 3), cells, inverses (F, 3, 3), charges, volumes (F,), velocities
    geometry: int  # numbers of `content` before the velocities (F, N, G, 3), which may be none
    plan: SearchPlan
    request: Request

    @property
    def n_atoms(self) -> int:
        """Atoms of all frames."""
        return self.n_frames * len(self.numbers)


class TorchEngine:
    """The network in PyTorch, on the CPU or on CUDA.

    Parameters
    ----------
    network
        The network; it is moved to the device.
    level
        Index of the level of theory.
    device
        Device of PyTorch.
    double
        Compute in float64.
    search
        Where neighbors are found: ``device``, ``host``, or ``auto``: on the device unless that is the CPU.
    precision
        Of matrix products: ``float32``; ``tf32`` or ``bfloat16`` if the first batch deviates by less than
        10⁻⁴ e, otherwise with a warning float32 as well.
    lanes
        Queues of the device.
    """

    def __init__(
        self,
        network: Network,
        level: int,
        device: str,
        double: bool = False,
        *,
        search: Search = "auto",
        precision: Precision = "float32",
        lanes: Lanes | None = None,
    ) -> None:
        self.name = f"torch ({device})"
        self.lanes = lanes or Lanes(device)
        self.dtype = torch.float64 if double else torch.float32
        self.network = network.to(device=device, dtype=self.dtype).eval()
        self.level = level
        self.search = "device" if search == "auto" and self.lanes.device.type != "cpu" else search
        self.precision = precision
        self._checked = precision == "float32"
        self._free: list[_Slot] = []
        self._system: NDArray[np.int64] = np.empty(0, dtype=np.int64)  # that the next two belong to
        self._numbers: Tensor = torch.empty(0)
        self._room: SearchPlan | None = None

    def evaluate(self, frames: Sequence[Frame | Atoms], request: Request = TENSORS) -> Answers:
        """Answer a request about frames with equally many atoms."""
        return self.submit(frames, request).result()

    def ionic_charges(self) -> Array:
        """Charge of each element that moves with the atoms, where the read-out is a dipole, e."""
        readout = self.network.charges_from
        assert isinstance(readout, Dipole)
        return np.asarray(readout.reference_charge.detach().cpu().numpy(), dtype=np.float64)

    def submit(self, frames: Sequence[Frame | Atoms], request: Request = TENSORS) -> Pending[Answers]:
        """Start to evaluate frames with equally many atoms as one graph, without waiting for the result."""
        if not self._checked:
            self._check_precision(frames)
        most = self._most_frames(len(frames[0].numbers))
        if len(frames) > most:
            slices = [slice(k, k + most) for k in range(0, len(frames), most)]
            parts = [self.submit(frames[k], request.part(k)).result() for k in slices]
            joined = {name: np.concatenate([part[name] for part in parts]) for name in request.outputs}
            return Pending(lambda: joined)
        slot = self._free.pop() if self._free else _Slot()
        batch = self._prepare(frames, request) if self.search == "device" else None
        if batch is not None:
            return self._submit(batch, slot)
        graph = build_graph(frames, self.network.config.cutoff_ang, dtype=self.dtype, level=self.level)
        moved = self._moved(graph, slot)
        positions = np.concatenate(
            [structure(frame, index).positions_ang for index, frame in enumerate(frames)]
        )
        motion = [positions] if request.velocities is None else [positions, request.velocities]
        content = [torch.from_numpy(part).to(self.lanes.device) for part in motion]
        with torch.inference_mode(), self._matmul():
            answers = self._answer(moved, content[0], None if len(content) == 1 else content[1], request)
            mark = self._send_back(answers, None, slot)
        return Pending(partial(self._received, slot, mark))

    def _most_frames(self, n_atoms: int) -> int:
        """Frames of one graph: a backward pass keeps what every layer made of every edge."""
        if self.network.charges_from.gradient is None:
            return sys.maxsize
        limit = BACKWARD_ATOMS if self.lanes.device.type == "cpu" else BACKWARD_ATOMS_GPU
        return max(1, limit // max(1, n_atoms))

    def _submit(self, batch: _Batch, slot: _Slot) -> Pending[Answers]:
        count = batch.content.size
        if slot.staged is None or slot.uploaded is None or len(slot.staged) < count:
            slot.staged = self.lanes.on_host(count, torch.float64)
            slot.uploaded = self.lanes.on_device(count, torch.float64)
        slot.staged[:count].numpy()[:] = batch.content
        with torch.inference_mode(), self._matmul():
            self.lanes.upload(slot.staged[:count], slot.uploaded[:count])
            content, motion = torch.split(slot.uploaded[:count], [batch.geometry, count - batch.geometry])
            graph, counts = self.graph_of(content, batch.numbers, batch.n_frames, batch.plan)
            velocities = motion.view(batch.n_frames, len(batch.numbers), -1, 3) if len(motion) else None
            positions = content[: 3 * batch.n_atoms].view(-1, 3)
            mark = self._send_back(self._answer(graph, positions, velocities, batch.request), counts, slot)
        return Pending(partial(self._collect, batch, slot, mark))

    def _collect(self, batch: _Batch, slot: _Slot, mark: Any) -> Answers:
        """Receive a result; do it again in the rare case that there was no room for all edges."""
        found = self._received(slot, mark)
        assert slot.counts is not None  # for the type checker: sent back with the result
        edges, occupancy = (int(value) for value in slot.counts)
        if batch.plan.fits(batch.n_atoms, edges, occupancy):
            return found
        self._room = batch.plan.enlarged(batch.n_atoms, edges, occupancy)
        return self._submit(replace(batch, plan=self._room), self._free.pop()).result()

    def graph_of(
        self, content: Tensor, numbers: Tensor, n_frames: int, plan: SearchPlan
    ) -> tuple[Graph, Tensor]:
        """Make the graph of a batch where `content` lies; also the edges and the atoms in a linked cell."""
        n_atoms = len(numbers)
        sizes = [3 * n_frames * n_atoms, 9 * n_frames, 9 * n_frames, n_frames, n_frames]
        positions, cells, inverses, charge, volume = torch.split(content, sizes)
        found = find_edges(
            positions.view(n_frames, n_atoms, 3), cells.view(-1, 3, 3), inverses.view(-1, 3, 3), plan
        )
        frame = torch.arange(n_frames, device=content.device)
        graph = Graph(
            numbers=numbers.repeat(n_frames),
            frame=frame[:, None].expand(n_frames, n_atoms).reshape(-1),
            receiver=found.receiver,
            sender=found.sender,
            vectors=found.vectors.to(self.dtype),
            total_charge=charge.to(self.dtype),
            volume_ang3=volume.to(self.dtype),
            level=torch.full_like(frame, self.level),
        )
        return graph, torch.stack([found.edges, found.occupancy])

    def _answer(
        self, graph: Graph, positions: Tensor, velocities: Tensor | None, request: Request
    ) -> dict[str, Tensor]:
        """Answers on the device; frames have equally many atoms."""
        found = self.network(graph, members=request.members, gradients="charges" in request.outputs)
        if "charges" in found:  # (N, M, 3, 3)
            found["charges"] = found["charges"].unflatten(0, (graph.n_frames, -1)).transpose(1, 2)
        if "polarization" in request.outputs:
            moved = self.network.charges_moved(graph, positions.to(self.dtype))  # (B, 3)
            found["polarization"] = found["dipole"] + moved[:, None]
        if "current" in request.outputs and velocities is not None:
            found["current"] = self.network.jvp("dipole", graph, velocities.to(self.dtype).flatten(0, 1))
        return {name: found[name] for name in request.outputs}

    def _prepare(self, frames: Sequence[Frame | Atoms], request: Request) -> _Batch | None:
        """Collect what goes to the device; None if neighbors should be found on the host."""
        items = [structure(frame, index) for index, frame in enumerate(frames)]
        numbers, periodic = items[0].numbers, items[0].pbc
        same = all(
            np.array_equal(item.numbers, numbers) and np.array_equal(item.pbc, periodic) for item in items
        )
        if not same or len(numbers) == 0:
            return None
        cells = np.stack([item.cell_ang for item in items])
        x, y, z = (bool(value) for value in periodic)
        cutoff = self.network.config.cutoff_ang
        if not np.array_equal(numbers, self._system):
            self._system, self._room = np.array(numbers), None
            self._numbers = torch.from_numpy(self._system).to(self.lanes.device)
        neighbors = 0.0
        if self._room is None:
            first = items[0]
            receiver, _, _ = neighbor_pairs(first.positions_ang, first.cell_ang, first.pbc, cutoff)
            neighbors = len(receiver) / len(numbers)
        plan = plan_search(cells, (x, y, z), len(numbers), cutoff, neighbors)
        if plan is None:
            return None
        self._room = plan if self._room is None else plan.with_room_of(self._room)
        parts = (
            *(item.positions_ang for item in items),
            cells,
            np.linalg.inv(cells),
            np.array([item.total_charge for item in items]),
            np.abs(np.linalg.det(cells)),
        )
        geometry = np.concatenate([part.ravel() for part in parts])
        motion = [] if request.velocities is None else [request.velocities.ravel()]
        content = np.concatenate([geometry, *motion])
        return _Batch(len(items), self._numbers, content, geometry.size, self._room, request)

    def _moved(self, graph: Graph, slot: _Slot) -> Graph:
        """Graph on the device; the copies do not stop the host."""
        if not self.lanes.asynchronous:
            return graph.to(self.lanes.device)
        pinned = replace(graph, **{f.name: getattr(graph, f.name).pin_memory() for f in fields(graph)})
        slot.kept.append(pinned)
        return pinned.to(self.lanes.device)

    def _send_back(self, answers: dict[str, Tensor], counts: Tensor | None, slot: _Slot) -> Any:
        """Start the copy of the results to the host and return the mark to wait for."""
        flat = torch.cat([part.reshape(-1) for part in answers.values()])
        if slot.results is None or len(slot.results) < len(flat):
            slot.results = self.lanes.on_host(len(flat), self.dtype)
        slot.kept.append(flat)
        slot.shapes = {name: tuple(part.shape) for name, part in answers.items()}
        self.lanes.download(flat, slot.results[: len(flat)])
        if counts is not None:
            slot.counts = self.lanes.on_host(2, torch.int64) if slot.counts is None else slot.counts
            slot.kept.append(counts)
            self.lanes.download(counts, slot.counts)
        return self.lanes.mark()

    def _received(self, slot: _Slot, mark: Any) -> Answers:
        self.lanes.wait(mark)
        assert slot.results is not None  # for the type checker: a result was sent
        slot.kept.clear()
        self._free.append(slot)
        sizes = [math.prod(shape) for shape in slot.shapes.values()]
        whole = slot.results[: sum(sizes)].to(torch.float64, copy=True).numpy()
        parts = np.split(whole, np.cumsum(sizes)[:-1])
        return {
            name: part.reshape(shape) for (name, shape), part in zip(slot.shapes.items(), parts, strict=True)
        }

    @contextmanager
    def _matmul(self) -> Iterator[None]:
        """Matrix products in the chosen precision."""
        if self.precision == "float32":
            yield
            return
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(MATMUL[self.precision])
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)

    def _check_precision(self, frames: Sequence[Frame | Atoms]) -> None:
        """Keep the reduced precision only if the first batch hardly notices it."""
        self._checked, wanted = True, self.precision
        reduced = self.submit(frames).result()["charges"]
        self.precision = "float32"
        deviation = float(np.abs(self.submit(frames).result()["charges"] - reduced).max())
        if deviation < PRECISION_TOLERANCE_E:
            self.precision = wanted
            return
        warnings.warn(
            f"{wanted} would change Z* by up to {deviation:.1e} e; matrix products stay in float32",
            BecMDWarning,
            stacklevel=3,
        )
