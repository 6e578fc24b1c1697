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

from bec_md.arrays import Array
from bec_md.errors import DataError
from bec_md.network.model_file import read_header
from bec_md.network.native_library import (
    ERROR_SIZE,
    FramesStruct,
    NativeStatus,
    OutputStruct,
    ProfileStruct,
    load_library,
    native_status,
)
from bec_md.network.request import TENSORS, Answers, Request
from bec_md.processes import cores
from bec_md.structure.from_ase import as_frame

if TYPE_CHECKING:
    from ase import Atoms

    from bec_md.structure import Frame

__all__ = [
    "NativeEngine",
    "NativeModel",
    "NativePrediction",
    "NativeResult",
    "NativeStatus",
    "native_neighbors",
    "native_status",
]


@dataclass(frozen=True, slots=True)
class NativePrediction:
    """Tensors of a batch of B frames with N atoms in all."""

    charges: Array  # (N, 3, 3) e, mean over the members
    members: Array | None  # (N, M, 3, 3) e
    eps_inf: Array  # (B, 3, 3)
    first_atom: NDArray[np.int64]  # (B + 1,) frame b has atoms first_atom[b] … first_atom[b + 1] − 1


@dataclass(frozen=True, slots=True)
class NativeResult:
    """What was asked for, by name; shapes as in `NativeModel.evaluate`."""

    values: dict[str, Array]  # means over the members of the read-outs
    members: dict[str, Array]
    first_atom: NDArray[np.int64]  # (B + 1,) frame b has atoms first_atom[b] … first_atom[b + 1] − 1

    @property
    def n_tensors(self) -> int:
        """Numbers in one tensor of all N atoms."""
        return 9 * int(self.first_atom[-1])


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
        self.readouts = self._readouts()  # members of each read-out
        self.charges_from = "charges" if "charges" in self.readouts else "dipole"
        self.members = self.readouts[self.charges_from]
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
        result = self.evaluate(
            frames,
            ("charges", "eps_inf"),
            members=("charges",) if members else (),
            threads=threads,
            sum_rule=sum_rule,
            profile=profile,
        )
        return NativePrediction(
            result.values["charges"],
            result.members.get("charges"),
            result.values["eps_inf"],
            result.first_atom,
        )

    def evaluate(
        self,
        frames: Sequence[Frame | Atoms],
        outputs: Iterable[str],
        *,
        members: Iterable[str] = (),
        velocities: Array | None = None,
        groups: NDArray[np.integer[Any]] | None = None,
        n_groups: int = 1,
        threads: int = 1,
        sum_rule: bool = True,
        profile: ProfileStruct | None = None,
    ) -> NativeResult:
        """Evaluate what is asked for, by name, of B frames with N atoms in all and models with M members.

        ============ ============= ================== =======================================================
        name         shape         of the members
        ============ ============= ================== =======================================================
        charges      (N, 3, 3)     (N, M, 3, 3)       Z*, e; of a dipole its derivatives (a sweep a member)
        eps_inf      (B, 3, 3)     (B, 1, 3, 3)       ε_∞
        polarization (B, 3)        (B, M, 3)          Σ_i q_i r_i + Σ_j p_j of the positions as given, e Å
        dipole       (B, 3)        (B, M, 3)          Σ_j p_j, periodic, e Å
        current      (B, G, 3)     (B, G, M, 3)       dP/dt along `velocities` for each group, e Å/fs
        ============ ============= ================== =======================================================

        Parameters
        ----------
        frames
            `bec_md` frames or ASE atoms.
        outputs
            Names whose means over the members are wanted.
        members
            Names of which every member is wanted.
        velocities
            (N, 3) Å/fs, of all frames one after the other; a current needs them.
        groups
            (N,) group of each atom, 0 … G − 1, or −1 for none; all atoms are of one group when not given.
        n_groups
            G.
        threads, sum_rule, profile
            As in `predict_frames`.

        Raises
        ------
        DataError
            For a name that the model does not give, and for frames without meaning.
        """
        batch = _Batch(frames, self._species, velocities, groups, n_groups)
        shapes = {
            "charges": (int(batch.first_atom[-1]), self.charges_from, (3, 3)),
            "eps_inf": (len(frames), "polarizability", (3, 3)),
            "polarization": (len(frames), "dipole", (3,)),
            "dipole": (len(frames), "dipole", (3,)),
            "current": ((len(frames), n_groups), "dipole", (3,)),
        }
        values: dict[str, Array] = {}
        ensembles: dict[str, Array] = {}
        for name, target, each in (
            (n, t, e) for t, ns, e in ((values, outputs, False), (ensembles, members, True)) for n in ns
        ):
            rows, readout, shape = shapes[name]
            leading = rows if isinstance(rows, tuple) else (rows,)
            count = (self.readouts.get(readout, 1),) if each else ()
            target[name] = np.empty((*leading, *count, *shape))
        wanted = [name for name in shapes if name in values or name in ensembles]
        array = (OutputStruct * len(wanted))(
            *(
                OutputStruct(
                    name.encode(), _pointer_or_none(values.get(name)), _pointer_or_none(ensembles.get(name))
                )
                for name in wanted
            )
        )
        error = ctypes.create_string_buffer(ERROR_SIZE)
        status = self._library.bec_evaluate_frames(
            self.handle,
            ctypes.byref(batch.struct()),
            threads,
            int(sum_rule),
            array,
            len(wanted),
            None if profile is None else ctypes.byref(profile),
            error,
            ERROR_SIZE,
        )
        if status:
            raise native_error(error)
        return NativeResult(values, ensembles, batch.first_atom)

    def ionic_charges(self) -> Array:
        """Charge of each of `elements` that moves with the atoms of a model with a dipole, e."""
        charges = np.empty(len(self.elements))
        error = ctypes.create_string_buffer(ERROR_SIZE)
        if self._library.bec_model_ionic_charges(self.handle, _pointer(charges), error, ERROR_SIZE):
            raise native_error(error)
        return charges

    def _readouts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        while name := self._library.bec_model_readout(self.handle, len(found)):
            found[name.decode()] = int(self._library.bec_model_members(self.handle, name))
        return found


class NativeEngine:
    """The compiled evaluator as an engine of `BecModel`."""

    def __init__(self, path: str | Path, level: str, *, threads: int | None = None) -> None:
        status = native_status()
        self.name = f"native ({status.instruction_set})"
        self.threads = threads or cores()
        elements = read_header(path)["config"]["elements"]
        self.model = NativeModel(path, level, elements)

    def evaluate(self, frames: Sequence[Frame | Atoms], request: Request = TENSORS) -> Answers:
        """Answer a request for frames with equally many atoms."""
        options: dict[str, Any] = {}
        if request.velocities is not None:
            # an atom moves in the lane of its group alone
            moving = np.abs(request.velocities).sum(axis=-1)  # (F, N, G)
            options = {
                "velocities": request.velocities.sum(axis=2).reshape(-1, 3),
                "groups": moving.argmax(axis=-1).reshape(-1),
                "n_groups": request.velocities.shape[2],
            }
        # tensors that are derivatives cost a sweep for each member, everything else comes with all of them
        each = request.members or self.model.charges_from == "charges"
        ensembles = [name for name in request.outputs if name != "eps_inf" and (each or name != "charges")]
        means = [name for name in request.outputs if name not in ensembles]
        result = self.model.evaluate(frames, means, members=ensembles, threads=self.threads, **options)
        found = dict(result.members)
        if "charges" in request.outputs:
            tensors = found.get("charges", result.values.get("charges"))
            assert tensors is not None
            found["charges"] = tensors.reshape(
                len(frames), -1, tensors.size // result.n_tensors, 3, 3
            ).swapaxes(1, 2)
        if "current" in found:
            found["current"] = found["current"].swapaxes(1, 2)  # (F, M, G, 3)
        if "eps_inf" in result.values:
            found["eps_inf"] = result.values["eps_inf"]
        return found

    def ionic_charges(self) -> Array:
        """Charge of each element that moves with the atoms, where the read-out is a dipole, e."""
        return self.model.ionic_charges()


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

    def __init__(
        self,
        frames: Sequence[Frame | Atoms],
        species: NDArray[np.int32],
        velocities: Array | None,
        groups: NDArray[np.integer[Any]] | None,
        n_groups: int,
    ) -> None:
        counts = [len(frame.numbers) for frame in frames]
        self.first_atom = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.positions = np.empty((int(self.first_atom[-1]), 3))
        self.species = np.empty(int(self.first_atom[-1]), dtype=np.int32)
        self.cells = np.empty((len(frames), 3, 3))
        self.periodic = np.empty((len(frames), 3), dtype=np.uint8)
        self.charge = np.empty(len(frames))
        self.velocities = None if velocities is None else np.ascontiguousarray(velocities, dtype=np.float64)
        self.groups = None if groups is None else np.ascontiguousarray(groups, dtype=np.int32)
        self.n_groups = n_groups
        for index, frame in enumerate(frames):
            item = as_frame(frame)
            atoms = slice(self.first_atom[index], self.first_atom[index + 1])
            self.positions[atoms] = item.positions_ang
            self.species[atoms] = species[item.numbers]
            self.cells[index] = item.cell_ang
            self.periodic[index] = item.pbc
            self.charge[index] = item.total_charge

    def struct(self) -> FramesStruct:
        """Return the batch as the library takes it."""
        return FramesStruct(
            len(self.charge),
            _pointer(self.first_atom),
            _pointer(self.positions),
            _pointer(self.species),
            _pointer(self.cells),
            _pointer(self.periodic),
            _pointer(self.charge),
            _pointer_or_none(self.velocities),
            _pointer_or_none(self.groups),
            self.n_groups,
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


def _pointer_or_none(array: NDArray[Any] | None) -> Any:
    return None if array is None else _pointer(array)
