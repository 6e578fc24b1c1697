"""A crystal of independent damped oscillators, propagated exactly, and the files that hold its trajectory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K, angular_frequency_from_wavenumber

Array = NDArray[np.float64]

MODE_CM = 400.0
TEMPERATURE_K = 300.0
TIMESTEP_FS = 4.0
SYMBOLS = ("Mg",) * 4 + ("O",) * 4
MASSES = np.array([24.305] * 4 + [15.999] * 4)
LATTICE_ANG = 4.21
_FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
SITES = LATTICE_ANG * np.vstack([_FCC, _FCC + np.array([0.5, 0, 0])])
#: Charges of the tests: they obey the sum rule.
CHARGES = "fixed:Mg=2,O=-2"


def trajectory(n_frames: int, *, damping_cm: float = 20.0, seed: int = 1) -> tuple[Array, Array]:
    """Positions (T, N, 3) in Å and velocities in Å/fs of Langevin oscillators, sampled exactly."""
    rng = np.random.default_rng(seed)
    omega, gamma = (angular_frequency_from_wavenumber(value) for value in (MODE_CM, damping_cm))
    width = (BOLTZMANN_EV_K * TEMPERATURE_K / (MASSES * AMU_ANG2_FS2_EV)) ** 0.5  # rms velocity
    drift = np.array([[0.0, 1.0], [-(omega**2), -gamma]])
    # Van Loan: propagator and noise of the linear equation from one matrix exponential
    from scipy.linalg import expm

    block = np.zeros((4, 4))
    block[:2, :2], block[:2, 2:], block[2:, 2:] = -drift, np.diag([0.0, 2 * gamma]), drift.T
    power = expm(block * TIMESTEP_FS)
    step = power[2:, 2:].T
    noise = np.linalg.cholesky(step @ power[:2, 2:])
    state = rng.normal(size=(2, 8, 3)) * np.array([1 / omega, 1.0])[:, None, None]
    states = np.empty((n_frames, 2, 8, 3))
    kicks = rng.normal(size=(n_frames, 2, 8, 3))
    for t in range(n_frames):
        states[t] = state
        state = np.tensordot(step, state, 1) + np.tensordot(noise, kicks[t], 1)
    states *= width[:, None]
    return SITES + states[:, 0], states[:, 1]


def extxyz_text(
    positions: Array,
    velocities: Array | None,
    *,
    lattice: str | None = f"{LATTICE_ANG} 0 0 0 {LATTICE_ANG} 0 0 0 {LATTICE_ANG}",
    time: bool = True,
    pbc: str = "T T T",
    symbols: tuple[str, ...] = SYMBOLS,
    extra: Mapping[str, Array] | None = None,
) -> str:
    """Extended XYZ with velocities in Å/fs (column `vel`) and further per-atom columns."""
    named = {"pos": positions, **({} if velocities is None else {"vel": velocities}), **(extra or {})}
    properties = "species:S:1" + "".join(f":{name}:R:{values.shape[2]}" for name, values in named.items())
    values = np.concatenate(list(named.values()), axis=2)
    row = "%s " + " ".join(["%.9g"] * values.shape[2])
    lines = []
    for t in range(len(positions)):
        entries = [f'Lattice="{lattice}"'] if lattice is not None else []
        entries += [f"Properties={properties}", f'pbc="{pbc}"']
        entries += [f"time_fs={t * TIMESTEP_FS:g}"] if time else []
        lines += [str(len(symbols)), " ".join(entries)]
        lines += [row % (s, *v) for s, v in zip(symbols, values[t].tolist(), strict=True)]
    return "\n".join(lines) + "\n"


def lammps_dump_text(positions: Array, velocities: Array) -> str:
    """Dump in metal units (velocities in Å/ps), atoms in reverse order, elements as types."""
    box = f"0 {LATTICE_ANG}\n" * 3
    lines = []
    for t in range(len(positions)):
        lines.append(
            f"ITEM: TIMESTEP\n{t * 4}\nITEM: NUMBER OF ATOMS\n8\nITEM: BOX BOUNDS pp pp pp\n{box}"
            "ITEM: ATOMS id type xu yu zu vx vy vz"
        )
        for i in reversed(range(8)):
            numbers = [*positions[t, i].tolist(), *(1000 * velocities[t, i]).tolist()]
            lines.append(f"{i + 1} {1 if i < 4 else 2} " + " ".join(f"{x:.9g}" for x in numbers))
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> Path:
    """Write a text file."""
    path.write_text(text, encoding="utf-8")
    return path


def damaged(kind: str) -> str:
    """Extended XYZ text with one thing wrong."""
    positions, velocities = trajectory(40)
    return _DAMAGE[kind](positions, velocities)


def _nan(positions: Array, velocities: Array) -> str:
    velocities[30, 5, 1] = math.nan
    return extxyz_text(positions, velocities)


def _fewer_atoms(positions: Array, velocities: Array) -> str:
    head = extxyz_text(positions[:20], velocities[:20])
    return head + extxyz_text(positions[20:, :7], velocities[20:, :7], symbols=SYMBOLS[:7])


def _unknown_element(positions: Array, velocities: Array) -> str:
    return extxyz_text(positions, velocities, symbols=("Mq",) * 4 + ("O",) * 4)


def _wrong_charges(positions: Array, velocities: Array) -> str:
    return extxyz_text(positions, velocities, extra={"born_effective_charges": np.ones((40, 8, 6))})


def _damaged_number(positions: Array, velocities: Array) -> str:
    lines = extxyz_text(positions, velocities).splitlines()
    lines[10 * 25 + 4] = "Mg 0.1 0.2 **** 0 0 0"
    return "\n".join(lines) + "\n"


_DAMAGE: dict[str, Callable[[Array, Array], str]] = {
    "no time": lambda x, v: extxyz_text(x, v, time=False),
    "no velocities": lambda x, v: extxyz_text(x, None),
    "velocities of no unit": lambda x, v: extxyz_text(x, v).replace(":vel:R:3", ":Velocity:R:3"),
    "nan": _nan,
    "fewer atoms": _fewer_atoms,
    "zero volume": lambda x, v: extxyz_text(x, v, lattice="4 0 0 0 4 0 0 0 0"),
    "no cell": lambda x, v: extxyz_text(x, v, lattice=None),
    "not periodic": lambda x, v: extxyz_text(x, v, pbc="F F F"),
    "unknown element": _unknown_element,
    "wrong charges": _wrong_charges,
    "damaged number": _damaged_number,
    "empty": lambda x, v: "",
    "no frame": lambda x, v: "8\n",
    "not a trajectory": lambda x, v: "hello\nworld\n",
}
