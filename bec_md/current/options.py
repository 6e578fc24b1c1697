"""How a current is computed, or a series of another code read: every option once, with plain types."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from bec_md.errors import UsageError
from bec_md.options import Options, refuse_not_positive, refuse_not_whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Interpolation = Literal["linear", "cubic"]
Motions = Literal["molecules"]

_POSITIVE = {
    "batch": "at least one frame is evaluated at a time",
    "threads": "the model needs one at least",
    "charge_tolerance": "it is a relative error of J",
}


@dataclass(frozen=True)
class CurrentOptions(Options):
    """Options of `compute_current`; every one may be left out.

    Parameters
    ----------
    charges
        Source of the tensors: ``"model"``, ``"file[:KEY]"``, ``"born:PATH"``, ``"fixed:Si=3.4,O=-1.7"``,
        ``"oxidation:Li=1,P=5,O=-2"``, an array (N, 3, 3), or an object with ``evaluate``.
    model
        Name, path or loaded model for ``charges="model"``; ``"auto"`` takes the bundled one that suits the
        elements.
    groups
        ``"species"``, ``"none"``, ``"atoms"``, ``"molecules"``, ``"layers:z:N"``, a mapping name → atoms,
        one label per atom, or the path of a file with these.
    motions
        ``"molecules"`` keeps the currents of the stretching and of the bending of molecules apart, for
        ``control_variates="molecules"`` of a spectrum: a model of a polarization is evaluated three times.
    charge_stride
        Evaluate the tensors every k-th frame and interpolate; the error is measured at held-out frames.
        ``"auto"`` takes the largest k that keeps the error of J below `charge_tolerance`; 1 for models of a
        polarization, whose J needs no tensors.
    interpolation
        ``"cubic"`` or ``"linear"``.
    charge_tolerance
        Relative r.m.s. error of J allowed by ``charge_stride="auto"``.
    device, threads, batch
        Where the model runs, its threads, and how many frames it evaluates at once.
    """

    of: ClassVar[str] = "a current or a trajectory"

    charges: Any = "model"
    model: Any = "auto"
    groups: str | Path | Mapping[Any, Any] | Any = "species"
    motions: Motions | None = None
    charge_stride: int | Literal["auto"] = 1
    interpolation: Interpolation = "cubic"
    charge_tolerance: float = 0.01
    device: str = "cpu"
    threads: int | None = None
    batch: int | None = None

    def check(self) -> None:
        """Refuse what no computation could need.

        Raises
        ------
        UsageError
            With the name of the option and what it means.
        """
        refuse_not_positive(self, _POSITIVE)
        refuse_not_whole(self, {name: _POSITIVE[name] for name in ("batch", "threads")})
        if self.interpolation not in ("linear", "cubic"):
            raise UsageError(
                f"unknown `interpolation={self.interpolation}`",
                "tensors between evaluated frames are interpolated linearly or cubically",
                "use linear or cubic",
            )
        if self.motions not in (None, "molecules"):
            raise UsageError(
                f"unknown `motions={self.motions}`", "motion is divided within molecules", "use molecules"
            )
        if not re.fullmatch(r"(cpu|cuda|mps)(:\d{1,3})?", self.device):
            raise UsageError(f"`device={self.device}`", "models run on cpu, cuda, cuda:N or mps", "name one")
        if self.device != "cpu" and isinstance(self.charges, str) and self.charges != "model":
            raise UsageError(
                f"`device={self.device}` with `charges={self.charges}`",
                "no model is evaluated, and an option that does nothing may hide a mistake",
                "leave it out",
            )
        stride = self.charge_stride
        if self.charge_tolerance != CurrentOptions.charge_tolerance and stride != "auto":
            raise UsageError(
                f"`charge_tolerance={self.charge_tolerance:g}` with `charge_stride={stride}`",
                "the stride follows from the tolerance only where it is auto",
                "give `charge_stride=auto`, or leave it out",
            )
        if stride != "auto" and (not isinstance(stride, Integral) or stride < 1):
            raise UsageError(
                f"`charge_stride={stride}` is not understood",
                "tensors are evaluated at every k-th frame",
                "give a whole number from 1 on, or auto",
            )


@dataclass(frozen=True)
class SeriesOptions(Options):
    """What a file of another code may not say about itself.

    Parameters
    ----------
    format
        ``"npy"``, ``"npz"``, ``"gpumd-dpdt"``, ``"gpumd-dipole"``, ``"lammps-log"``, ``"lammps-ave-time"``,
        ``"cp2k"`` or ``"columns"``; recognized by content when not given.
    units
        Units of the numbers, e.g. ``"e*ang/fs"``, ``"e*ang/ps"``, ``"debye"``, ``"e*bohr"``. They also tell a
        current (per time) from a dipole moment.
    columns
        Names, or numbers counted from 1, of the x, y and z columns.
    timestep_fs
        Time between samples, fs.
    volume_ang3, cell_ang
        Volume, Å³, or cell (3, 3) with lattice vectors as rows, Å.
    temperature_k
        Temperature, K.
    lammps_units
        Unit style of a LAMMPS run.
    scheme
        ``"midpoint"`` or ``"central"`` difference of dipole moments.
    unwrap
        Follow the branch of a multivalued polarization; by default where the file is known to jump (CP2K with
        the periodic operator), or when a cell is given with plain columns of a dipole moment.
    quantum_e
        Charge whose transport by a lattice vector gives the same polarization, e: 1, or 2 for codes that
        treat both spins alike.
    """

    of: ClassVar[str] = "a series of another code"

    format: str | None = None
    units: str | None = None
    columns: Sequence[str | int] | None = None
    timestep_fs: float | None = None
    volume_ang3: float | None = None
    cell_ang: ArrayLike | None = None
    temperature_k: float | None = None
    lammps_units: str | None = None
    scheme: Literal["midpoint", "central"] = "midpoint"
    unwrap: bool | None = None
    quantum_e: float = 1.0

    def check(self) -> None:
        """Refuse numbers that no series could have.

        Raises
        ------
        UsageError
            With the name of the option.
        """
        import numpy as np

        refuse_not_positive(
            self,
            {
                "timestep_fs": "it is the time between samples in fs",
                "volume_ang3": "it is a volume in Å³",
                "temperature_k": "it is a temperature in K",
                "quantum_e": "it is a charge in e",
            },
        )
        cell = np.zeros((3, 3)) if self.cell_ang is None else np.asarray(self.cell_ang, dtype=np.float64)
        volume = abs(float(np.linalg.det(np.diag(cell.ravel()) if cell.size == 3 else cell.reshape(3, 3))))
        if self.cell_ang is not None and not 0.0 < volume < np.inf:
            raise UsageError(
                f"`cell_ang={cell.tolist()}` spans no volume",
                "a spectrum is per volume",
                "give its vectors in Å",
            )
