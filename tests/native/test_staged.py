"""Local and ghost atoms, layer by layer: the way of MPI ranks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.network.native import NativeModel, native_neighbors
from tests.native.conftest import ELEMENTS, Reference, random_frame, random_network
from tests.native.staged import StagedEvaluation

# the same arithmetic, neighbors in another order: a few float32 roundings of numbers of order one
TOLERANCE_E = 1e-6


class Rank:
    """Some atoms of a periodic frame, with ghosts for everything within the cutoff of the cell."""

    def __init__(self, model: NativeModel, frame: Atoms, own: NDArray[np.int64]) -> None:
        shifts = np.array([(a, b, c) for a in range(-3, 4) for b in range(-3, 4) for c in range(-3, 4)])
        wrapped = frame.get_scaled_positions() @ np.asarray(frame.cell)
        positions, owners = [wrapped[own]], [own]
        for shift in shifts @ np.asarray(frame.cell):
            foreign = np.arange(len(frame)) if np.any(shift) else np.setdiff1d(np.arange(len(frame)), own)
            positions.append(wrapped[foreign] + shift)
            owners.append(foreign)
        everything = np.concatenate(positions)
        near = (np.linalg.norm(everything[:, None] - wrapped[None], axis=-1) < model.cutoff_ang).any(axis=1)
        near[: len(own)] = True
        self.owner = np.concatenate(owners)[near]
        self.positions = np.ascontiguousarray(everything[near])
        self.own = own
        self.species = model.species(frame.numbers[self.owner])
        self.evaluation = StagedEvaluation(model)

    def begin(self) -> None:
        receiver, sender, vectors = native_neighbors(
            self.positions, np.zeros((3, 3)), np.zeros(3, dtype=bool), self.evaluation.model.cutoff_ang
        )
        count = int(np.searchsorted(receiver, len(self.own)))  # edges of ghosts are not needed
        first = np.searchsorted(receiver, np.arange(len(self.own) + 1)).astype(np.int64)
        self.evaluation.begin(self.species, first, sender[:count].copy(), vectors[:count].copy())


def run(model: NativeModel, frame: Atoms, parts: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    ranks = [Rank(model, frame, part) for part in parts]
    for rank in ranks:
        rank.begin()
    messages: NDArray[np.float32] | None = None
    for layer in range(model.layers):
        exchanged = np.empty((len(frame), ranks[0].evaluation.width(layer + 1)), dtype=np.float32)
        for rank in ranks:
            incoming = None if messages is None else messages[rank.owner]
            exchanged[rank.own] = rank.evaluation.layer(layer, incoming)
        messages = exchanged
    charges = np.empty((len(frame), 3, 3))
    for rank in ranks:
        charges[rank.own] = rank.evaluation.read_out()[0]
    return charges


def test_ranks_with_ghosts_equal_the_whole_frame(reference: Reference) -> None:
    frame = random_frame(11, n_atoms=25)
    model = NativeModel(reference.path, "PBE", ELEMENTS)
    whole = model.predict_frames([frame], sum_rule=False).charges
    order = np.random.default_rng(0).permutation(25)
    none = np.array([], dtype=np.int64)
    charges = run(model, frame, [order[:9], none, order[9:]])
    np.testing.assert_allclose(charges, whole, atol=TOLERANCE_E)


def test_three_layers(tmp_path: Path) -> None:
    reference = random_network(tmp_path / "n.safetensors", layers=3, channels=16, sent_tensor_channels=8)
    frame = random_frame(12, n_atoms=14, length=5.5)
    model = NativeModel(reference.path, "PBE", ELEMENTS)
    whole = model.predict_frames([frame], sum_rule=False).charges
    charges = run(model, frame, [np.arange(5), np.arange(5, 14)])
    np.testing.assert_allclose(charges, whole, atol=TOLERANCE_E)


def test_members_and_polarizability(reference: Reference) -> None:
    frame = random_frame(13)
    model = NativeModel(reference.path, "PBE", ELEMENTS)
    rank = Rank(model, frame, np.arange(len(frame)))
    rank.begin()
    messages = None
    for layer in range(model.layers):
        out = rank.evaluation.layer(layer, messages)
        messages = out[rank.owner]
    charges, members, polarizability = rank.evaluation.read_out()
    np.testing.assert_allclose(members.mean(axis=1), charges, atol=1e-12)  # a mean in double precision
    eps_inf = np.eye(3) + polarizability.sum(axis=0) / frame.get_volume()
    np.testing.assert_allclose(eps_inf, model.predict_frames([frame]).eps_inf[0], rtol=1e-5)


def test_edges_beyond_the_cutoff_do_nothing(reference: Reference) -> None:
    frame = random_frame(14, n_atoms=10)
    model = NativeModel(reference.path, "PBE", ELEMENTS)
    species = model.species(frame.numbers)

    def charges(cutoff: float) -> NDArray[np.float64]:
        receiver, sender, vectors = native_neighbors(
            frame.positions, np.asarray(frame.cell), frame.pbc, cutoff
        )
        evaluation = StagedEvaluation(model)
        first = np.searchsorted(receiver, np.arange(len(frame) + 1)).astype(np.int64)
        evaluation.begin(species, first, sender, vectors)
        messages = None
        for layer in range(model.layers):
            messages = evaluation.layer(layer, messages)
        return evaluation.read_out()[0]

    np.testing.assert_allclose(charges(model.cutoff_ang + 2.0), charges(model.cutoff_ang), atol=TOLERANCE_E)


def test_layers_out_of_order(reference: Reference) -> None:
    frame = random_frame(15, n_atoms=4)
    model = NativeModel(reference.path, "PBE", ELEMENTS)
    evaluation = StagedEvaluation(model)
    nobody = np.zeros(5, dtype=np.int64)
    no_edges = np.empty(0, dtype=np.int32), np.empty((0, 3), dtype=np.float32)
    evaluation.begin(model.species(frame.numbers), nobody, *no_edges)
    with pytest.raises(DataError, match="layer 1 was asked for, layer 0 of 2 is next"):
        evaluation.layer(1, np.zeros((4, evaluation.width(1)), dtype=np.float32))
    with pytest.raises(DataError, match="before the last layer"):
        evaluation.read_out()
    with pytest.raises(DataError, match="sender 7 of edge 0"):
        evaluation.begin(
            model.species(frame.numbers),
            np.array([0, 1, 1, 1, 1], dtype=np.int64),
            np.array([7], dtype=np.int32),
            np.ones((1, 3), dtype=np.float32),
        )
