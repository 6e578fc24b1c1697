"""The names under which files hold what is known of a structure, and the conventions they follow.

Every reader and writer, of trajectories, labels and charges, looks here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.units import AMU_ANG2_FS2_EV, ATOMIC_VELOCITY_ANG_FS

#: Labels of a `Frame`.
CHARGES, EPS_INF = "born_effective_charges", "eps_inf"
#: Per-atom columns with Born effective charges, in the order in which they are looked for.
CHARGE_COLUMNS = ("born_effective_charges", "becs", "bec", "born_charge", "born_charges", "REF_becs")
EPS_INF_KEYS = ("eps_inf", "epsilon_inf", "dielectric_tensor", "REF_epsilon")
TOTAL_CHARGE_KEYS = ("total_charge", "charge")
SPECIES_COLUMNS = ("species", "symbols", "symbol", "element", "elements")
NUMBER_COLUMNS = ("Z", "numbers", "atomic_numbers")
POSITION_COLUMNS = ("pos", "positions")
#: i-PI writes them beside positions that are zero.
CENTROIDS = "x_centroid"
MASS_COLUMNS = ("masses", "mass")
#: Integers that name an atom in every frame, whatever its row.
ID_COLUMNS = ("id", "ID", "Particle_Identifier", "particle_identifier")
#: Velocity columns and the units in which their writers store them: ASE, GPUMD (vel), QUIP (velo).
VELOCITY_COLUMNS: Mapping[str, str] = {
    "momenta": "ase",
    "momentum": "ase",
    "velocities": "ase",
    "velocity": "ase",
    "vel": "ang/fs",
    "velo": "ang/fs",
}
#: Factors from the units a file may hold velocities in to Å/fs. "ase" is Å per ASE time unit,
#: Å·√(amu/eV) ≈ 10.18 fs; "atomic" is bohr E_h/ħ.
VELOCITY_UNITS: Mapping[str, float] = {
    "ase": 1.0 / math.sqrt(AMU_ANG2_FS2_EV),
    "ang/fs": 1.0,
    "ang/ps": 1e-3,
    "atomic": ATOMIC_VELOCITY_ANG_FS,
}
#: Keys of times whose names carry their unit.
TIME_KEYS: Mapping[str, float] = {"time_fs": 1.0, "time_ps": 1e3}
TIMESTEP_KEYS: Mapping[str, float] = {"timestep_fs": 1.0, "timestep_ps": 1e3}
#: Keys of times without a unit: believed where the motion confirms one.
UNITLESS_TIME_KEYS = ("time", "Time")
#: Keys that count time steps.
STEP_KEYS = ("step", "Step", "MD_step")

#: Keys that say how stored tensors were calculated: untrue beside tensors from elsewhere.
CALCULATION_KEYS = frozenset(
    {
        "level",
        "functional",
        "code",
        "source",
        "sha256",
        "structure_from",
        "sum_rule_residual_e",
        "hubbard_u_ev",
    }
    | {"n_k_points", "k_mesh", "cutoff_ry", "cutoff_ha", "pseudopotentials", "seconds"}
)

IndexOrder = Literal["polarization-first", "displacement-first"]
#: What a file may state as the order of the two indices (`CONVENTION_KEY`), and whether it is transposed.
CONVENTION_KEY = "bec_convention"
CONVENTIONS: Mapping[str, bool] = {
    "dm/du": False,
    "polarization-first": False,
    "du/dm": True,
    "displacement-first": True,
}


@dataclass(frozen=True)
class VelocityUnits:
    """How stored velocities were read: a name, the factor to Å/fs, and whether that was assumed."""

    name: str
    factor_ang_fs: float
    assumed: bool


def labels_of(
    charges: NDArray[np.float64] | None, eps_inf: NDArray[np.float64] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Labels of a `Frame` from those quantities that are known."""
    found = {CHARGES: charges, EPS_INF: eps_inf}
    return {name: value for name, value in found.items() if value is not None}


def stated_transposed(stated: str | None, place: str) -> bool:
    """Whether a stated convention means that the first index is the displacement; not if none is stated.

    Raises
    ------
    DataError
        If it is none of `CONVENTIONS`.
    """
    if stated is None:
        return False
    if stated.lower() not in CONVENTIONS:
        raise DataError(
            f"{place}: {CONVENTION_KEY}={stated!r}",
            "the order of the two indices decides the current",
            f"use one of {', '.join(CONVENTIONS)}",
        )
    return CONVENTIONS[stated.lower()]


def index_order(stated: str | None, asked: bool | None, place: str) -> tuple[bool, str | None]:
    """Whether the first index is the displacement, and what to say where a file and its user disagree.

    Parameters
    ----------
    stated
        What the file says under `CONVENTION_KEY`.
    asked
        What its user says, which is followed; None where nothing is said.
    place
        File and frame, for messages.

    Raises
    ------
    DataError
        If the file states none of `CONVENTIONS`.
    """
    own = stated_transposed(stated, place)
    if asked is None or stated is None or asked == own:
        return (own if asked is None else asked), None
    source = place.split(", frame")[0]
    names = {transposed: name for name, transposed in CONVENTIONS.items() if "-" in name}
    return asked, (
        f"{source} states {CONVENTION_KEY}={stated}, its tensors are read as {names[asked]} as asked for: "
        "one of both is wrong"
    )


def find_charge_key(names: Iterable[str], charges_key: str | None, place: str) -> str | None:
    """Name of the array that holds the charges: the given key, else the first of `CHARGE_COLUMNS`, else None.

    Raises
    ------
    DataError
        If a key is given and there is no such array.
    """
    available = list(names)
    if charges_key is None:
        return next((column for column in CHARGE_COLUMNS if column in available), None)
    if charges_key in available:
        return charges_key
    raise DataError(
        f"{place}: no per-atom array named {charges_key!r}",
        f"the file holds {', '.join(available) or 'no arrays'}",
        f"give `charges_key` one of these, or a file with {' or '.join(CHARGE_COLUMNS[:2])}",
    )


def as_tensors(
    values: NDArray[np.float64], n_atoms: int, *, name: str, transposed: bool, place: str
) -> NDArray[np.float64]:
    """Charges as Z[i, a, b] = ∂M_a/∂u_ib, shape (N, 3, 3), from (N, 9) row-major or (N, 3, 3).

    With `transposed` the file's first index is the displacement (i-PI and some others).

    Raises
    ------
    DataError
        If the array has another shape.
    """
    if values.shape not in ((n_atoms, 9), (n_atoms, 3, 3)):
        raise DataError(
            f"{place}: charges {name!r} have shape {values.shape}, not ({n_atoms}, 3, 3) or ({n_atoms}, 9)",
            "a Born effective charge is a 3×3 tensor per atom: Z[i,a,b] = ∂M_a/∂u_ib",
            "write nine columns per atom in row-major order, or give the right `charges_key`",
        )
    tensors = np.ascontiguousarray(values, dtype=np.float64).reshape(n_atoms, 3, 3)
    return np.ascontiguousarray(tensors.swapaxes(1, 2)) if transposed else tensors
