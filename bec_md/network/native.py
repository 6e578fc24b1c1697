"""The network evaluated by compiled C++: the default engine on the CPU.

The arithmetic is that of `bec_md.network.model` with radial functions tabulated as cubic splines, in float32;
it agrees with the float64 reference to about 1e-6 e. Neighbors are found in C++ as well.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.network.model_file import read_header
from bec_md.network.native_library import (
    ERROR_SIZE,
    FramesStruct,
    NativeStatus,
    ProfileStruct,
    load_library,
    native_status,
)
from bec_md.network.request import TENSORS, Answers, Request
from bec_md.structure.from_ase import as_frame

if TYPE_CHECKING:
    from ase import Atoms

    from bec_md.structure import Frame

__all__ = [
    "NativeEngine",
    "NativeModel",
    "NativePrediction",
    "NativeStatus",
    "native_neighbors",
    "native_status",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NativePrediction:
    """Tensors of a batch of B frames with N atoms in all."""

    charges: Array  # (N, 3, 3) e, mean over the members
    members: Array | None  # (N, M, 3, 3) e
    eps_inf: Array  # (B, 3, 3)
    first_atom: NDArray[np.int64]  # (B + 1,) frame b has atoms first_atom[b] … first_atom[b + 1] − 1


class NativeModel:
    """A model file loaded for some elements and one level of theory.

    Parameters
    ----------
    path
        Model file.
    level
        Level of theory; the first one of the file when empty.
    elements
        Atomic numbers that may occur; radial functions are tabulated when a pair of them first does.

    Raises
    ------
    DataError
        When the file is not a model, or does not know the level or an element.
    """

    def __init__(self, path: str | Path, level: str, elements: Iterable[int]) -> None:
        self._library = load_library()
        self.elements = tuple(sorted({int(number) for number in elements}))
        numbers = np.array(self.elements, dtype=np.int32)
        error = ctypes.create_string_buffer(ERROR_SIZE)
        handle = self._library.bec_model_load(
            os.fsencode(path), level.encode(), _pointer(numbers), len(numbers), error, ERROR_SIZE
        )
        if not handle:
            raise native_error(error)
        self.handle = ctypes.c_void_p(handle)
        weakref.finalize(self, self._library.bec_model_free, self.handle)
        self.cutoff_ang = float(self._library.bec_model_cutoff(self.handle))
        self.layers = int(self._library.bec_model_layers(self.handle))
        self.members = int(self._library.bec_model_members(self.handle))
        self._species = np.full(256, -1, dtype=np.int32)
        self._species[list(self.elements)] = np.arange(len(self.elements), dtype=np.int32)

    def species(self, numbers: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        """Index of each atom's element among `elements`; −1 for others."""
        species: NDArray[np.int32] = self._species[numbers]
        return species

    def predict_frames(
        self,
        frames: Sequence[Frame | Atoms],
        *,
        threads: int = 1,
        members: bool = False,
        sum_rule: bool = True,
        profile: ProfileStruct | None = None,
    ) -> NativePrediction:
        """Evaluate frames of any sizes.

        Parameters
        ----------
        frames
            `bec_md` frames or ASE atoms.
        threads
            Threads share the frames of a large batch, or the atoms of a single one. The result does not
            depend on their number.
        members
            Give the tensors of every member of the ensemble.
        sum_rule
            Subtract from every atom its share of Σ_i Z_i − Q·1.
        profile
            Times and counts are added to it.
        """
        batch = _Batch(frames, self._species)
        n_atoms = int(batch.first_atom[-1])
        charges = np.empty((n_atoms, 3, 3))
        ensemble = np.empty((n_atoms, self.members, 3, 3)) if members else None
        eps_inf = np.empty((len(frames), 3, 3))
        error = ctypes.create_string_buffer(ERROR_SIZE)
        status = self._library.bec_evaluate_frames(
            self.handle,
            ctypes.byref(batch.struct()),
            threads,
            int(sum_rule),
            _pointer(charges),
            None if ensemble is None else _pointer(ensemble),
            _pointer(eps_inf),
            None if profile is None else ctypes.byref(profile),
            error,
            ERROR_SIZE,
        )
        if status:
            raise native_error(error)
        return NativePrediction(charges, ensemble, eps_inf, batch.first_atom)


class NativeEngine:
    """The compiled evaluator as an engine of `BecModel`."""

    def __init__(self, path: str | Path, level: str, *, threads: int | None = None) -> None:
        status = native_status()
        self.name = f"native ({status.instruction_set})"
        self.threads = threads or _available_processors()
        elements = read_header(path)["config"]["elements"]
        self.model = NativeModel(path, level, elements)

    def evaluate(self, frames: Sequence[Frame | Atoms], request: Request = TENSORS) -> Answers:
        """Answer a request for tensors and ε_∞ of frames with equally many atoms."""
        result = self.model.predict_frames(frames, threads=self.threads, members=True)
        assert result.members is not None
        shape = (len(frames), -1, self.model.members, 3, 3)
        return {"charges": result.members.reshape(shape).swapaxes(1, 2), "eps_inf": result.eps_inf}


def native_neighbors(
    positions_ang: Array, cell_ang: Array, pbc: NDArray[np.bool_], cutoff_ang: float
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """All directed pairs within the cutoff, images included, sorted by the first atom.

    Returns
    -------
    receiver, sender
        (E,) atom indices.
    vectors
        (E, 3) r_sender − r_receiver in Å.
    """
    library = load_library()
    positions = np.ascontiguousarray(positions_ang, dtype=np.float64)
    cell = np.ascontiguousarray(cell_ang, dtype=np.float64)
    periodic = np.ascontiguousarray(pbc, dtype=np.uint8)
    capacity = 64 * len(positions)
    while True:
        receiver = np.empty(capacity, dtype=np.int32)
        sender = np.empty(capacity, dtype=np.int32)
        vectors = np.empty((capacity, 3), dtype=np.float32)
        error = ctypes.create_string_buffer(ERROR_SIZE)
        count = library.bec_neighbors(
            len(positions),
            _pointer(positions),
            _pointer(cell),
            _pointer(periodic),
            cutoff_ang,
            capacity,
            _pointer(receiver),
            _pointer(sender),
            _pointer(vectors),
            error,
            ERROR_SIZE,
        )
        if count < 0:
            raise native_error(error)
        if count <= capacity:
            return receiver[:count], sender[:count], vectors[:count]
        capacity = count


def native_error(text: ctypes.Array[ctypes.c_char]) -> DataError:
    """Error of the C++ side (three parts in one text) as an exception."""
    message = text.value.decode(errors="replace")
    what, _, rest = message.partition("\n  why: ")
    why, _, fix = rest.partition("\n  fix: ")
    return DataError(
        what, why or "the native evaluator failed", fix or "use the torch engine, and report this"
    )


class _Batch:
    """Arrays of a batch of frames, kept alive for the call."""

    def __init__(self, frames: Sequence[Frame | Atoms], species: NDArray[np.int32]) -> None:
        counts = [len(frame.numbers) for frame in frames]
        self.first_atom = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.positions = np.empty((int(self.first_atom[-1]), 3))
        self.species = np.empty(int(self.first_atom[-1]), dtype=np.int32)
        self.cells = np.empty((len(frames), 3, 3))
        self.periodic = np.empty((len(frames), 3), dtype=np.uint8)
        self.charge = np.empty(len(frames))
        for index, frame in enumerate(frames):
            item = as_frame(frame)
            atoms = slice(self.first_atom[index], self.first_atom[index + 1])
            self.positions[atoms] = item.positions_ang
            self.species[atoms] = species[item.numbers]
            self.cells[index] = item.cell_ang
            self.periodic[index] = item.pbc
            self.charge[index] = item.total_charge

    def struct(self) -> FramesStruct:
        return FramesStruct(
            len(self.charge),
            _pointer(self.first_atom),
            _pointer(self.positions),
            _pointer(self.species),
            _pointer(self.cells),
            _pointer(self.periodic),
            _pointer(self.charge),
        )


_C_TYPES: dict[str, Any] = {
    "int32": ctypes.c_int32,
    "int64": ctypes.c_int64,
    "uint8": ctypes.c_uint8,
    "float32": ctypes.c_float,
    "float64": ctypes.c_double,
}


def _pointer(array: NDArray[Any]) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(_C_TYPES[array.dtype.name]))


def _available_processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
