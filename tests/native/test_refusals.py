"""The compiled evaluator and PyTorch refuse the same structures, before anything is divided by zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from bec_md.errors import DataError
from bec_md.network.graph import build_graph
from bec_md.network.model_file import load_network
from bec_md.network.native import NativeModel
from tests.native.conftest import ELEMENTS, Reference
from tests.native.test_library import rewrite

PAIR = np.array([(0.0, 0, 0), (1.5, 0, 0)])
CELLS = {
    "lattice vector of length": [np.diag([1e-9, 5, 5]), np.diag([5, np.nan, 5]), np.diag([5, 5, 1e9])],
    "high along": [
        np.array([(5.0, 0, 0), (5.0, 0.01, 0), (0, 0, 5)]),
        np.array([(5.0, 0, 0), (1e4, 5, 0), (0, 0, 5)]),
    ],
}


@pytest.mark.parametrize("match", CELLS)
def test_cells(reference: Reference, match: str) -> None:
    model = NativeModel(reference.path, "PBE", ELEMENTS)
    for cell in CELLS[match]:
        frame = Atoms("SiO", positions=PAIR, cell=cell, pbc=True)
        with pytest.raises(DataError, match=match):
            model.predict_frames([frame])
        with pytest.raises(DataError, match=match):
            build_graph([frame], 5.0)


def test_atoms_in_one_place(reference: Reference) -> None:
    model = NativeModel(reference.path, "PBE", ELEMENTS)
    for cell, distance in ((np.eye(3) * 9, 0.05), (np.eye(3) * 9, 8.95)):  # also across the boundary
        frame = Atoms("HHe", positions=[(0, 0, 0), (distance, 0, 0)], cell=cell, pbc=True)
        frame.numbers[:] = (8, 14)
        match = r"atoms (0 and 1|1 and 0) are 0\.05.* Å apart"
        with pytest.raises(DataError, match=match):
            model.predict_frames([frame])
        with pytest.raises(DataError, match=match):
            build_graph([frame], 5.0)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "an infinite number")])
def test_weights_without_meaning(reference: Reference, tmp_path: Path, value: float, word: str) -> None:
    def spoil(tensors: dict[str, Any], header: dict[str, Any]) -> None:
        tensors["layers.1.update.bias"][3] = value

    path = rewrite(reference.path, tmp_path / "spoiled.safetensors", spoil)
    for load in (lambda: NativeModel(path, "PBE", ELEMENTS), lambda: load_network(path)):
        with pytest.raises(DataError, match=rf"tensor layers\.1\.update\.bias of .* contains {word}"):
            load()
