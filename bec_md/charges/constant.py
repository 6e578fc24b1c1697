"""Tensors that do not change along the trajectory: given arrays and fixed scalar charges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, brief, not_real
from bec_md.charges.source import ChargeBatch, ChargeSource, digest
from bec_md.errors import DataError, UsageError
from bec_md.structure.species import ISOTOPES

if TYPE_CHECKING:
    from bec_md.structure import Frame
    from bec_md.trajectory.frame import TrajectoryInfo


#: What a principal value of ε∞ may lie below 1 by rounding.
ROUNDED = 1e-3
#: Net charges below this are rounding of the numbers that were typed in.
NEUTRAL_E = 1e-6


def no_eps_inf(eps_inf: Array) -> str | None:
    """Why an array is no electronic permittivity (zeros stand for one that is missing), None if it is one."""
    if eps_inf.shape != (3, 3):
        return f"its shape is {eps_inf.shape}, not (3, 3)"
    if not np.isfinite(eps_inf).all():
        return "it is not finite"
    least = float(np.linalg.eigvalsh(0.5 * (eps_inf + eps_inf.T))[0])
    return f"its principal value {least:g} is below 1, that of the vacuum" if least < 1.0 - ROUNDED else None


@dataclass(frozen=True)
class ConstantCharges:
    """The same tensors, atom by atom, in every frame.

    Parameters
    ----------
    tensors
        (N, 3, 3) Born effective charges in the order of the trajectory's atoms, e.
    name, notes
        How the source is called, and sentences for the user.
    eps_inf
        (3, 3) electronic permittivity that came with the tensors.
    remade
        Makes the same for the atoms of another frame, where the tensors are those of elements.
    """

    tensors: Array
    name: str = "constant tensors"
    notes: tuple[str, ...] = ()
    eps_inf: Array | None = None
    remade: Callable[[Any], ConstantCharges] | None = field(default=None, repr=False, compare=False)
    fingerprint: str = field(init=False)
    constant: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        if (why := not_real(self.tensors)) is not None:
            raise DataError(f"the array of {self.name} {why}", "every atom has a real tensor", "give those")
        tensors = np.array(self.tensors, dtype=np.float64)
        if tensors.ndim != 3 or tensors.shape[1:] != (3, 3):
            raise DataError(
                f"constant Born effective charges have shape {tensors.shape}",
                "they must be (atoms, 3, 3)",
                "give one 3×3 tensor per atom, or 'fixed:Si=3.4,O=-1.7' for scalars per element",
            )
        if not np.isfinite(tensors).all():
            atom = int(np.argmin(np.isfinite(tensors).all(axis=(1, 2))))
            raise DataError(
                f"the Born effective charge of atom {atom} in {self.name} is not finite",
                "one NaN spoils the current of every frame",
                "correct the tensor in its file",
            )
        tensors.flags.writeable = False
        object.__setattr__(self, "tensors", tensors)
        known = () if self.eps_inf is None else (np.array(self.eps_inf, dtype=np.float64),)
        if known and (note := no_eps_inf(known[0])) is not None:
            object.__setattr__(self, "notes", (*self.notes, f"the ε_∞ of {self.name} is left out: {note}"))
            known = ()
        object.__setattr__(self, "eps_inf", known[0] if known else None)
        object.__setattr__(self, "fingerprint", digest("constant", tensors, *known))

    def prepare(self, frame: Frame) -> ChargeSource:
        """Return the tensors of its elements, or check that there is one tensor per atom."""
        if self.remade is not None:
            return self.remade(frame)
        n_atoms = len(frame.positions_ang)
        if n_atoms != len(self.tensors):
            raise DataError(
                f"{self.name}: {len(self.tensors)} tensors, but the trajectory has {n_atoms} atoms",
                "tensors are assigned to atoms one by one",
                "give the tensors of this very system, or with a structure ('born:PATH') to map them from",
            )
        return self

    def evaluate(self, frames: Sequence[Frame]) -> ChargeBatch:
        """Return the tensors, broadcast over the frames (read-only)."""
        count = len(frames)
        eps_inf = None if self.eps_inf is None else np.broadcast_to(self.eps_inf, (count, 3, 3))
        return ChargeBatch(np.broadcast_to(self.tensors, (count, *self.tensors.shape)), eps_inf=eps_inf)


def fixed_charges(
    charges: Mapping[str, float], info: TrajectoryInfo | Frame, name: str = "fixed"
) -> ConstantCharges:
    """Return isotropic tensors q·1 from one scalar per element.

    Parameters
    ----------
    charges
        Element symbol → charge, e.
    info
        The trajectory or the frame, whose elements must all be given.
    name
        How the source is called.

    Raises
    ------
    UsageError
        If an element of the trajectory has no charge, or a symbol is not an element.
    """
    scalars = scalar_per_atom(charges, info.numbers, name)
    net = float(scalars.sum())
    notes: tuple[str, ...] = ()
    if abs(net) > NEUTRAL_E:
        notes = (
            f"the fixed charges sum to {net:+.4g} e per cell; the sum rule removes the current that a rigid "
            "translation would carry",
        )
    label = name + ":" + ",".join(f"{symbol}={value:g}" for symbol, value in charges.items())
    again = partial(fixed_charges, dict(charges), name=name)
    return ConstantCharges(scalars[:, None, None] * np.eye(3), label, notes, remade=again)


def oxidation_numbers(
    charges: Mapping[str, float], info: TrajectoryInfo | Frame, total_charge: float = 0.0
) -> ConstantCharges:
    """Return oxidation numbers as tensors; they must add up to the net charge of the cell.

    Integer charges give the exact dc conductivity of an ionic conductor, but not its spectrum.

    Raises
    ------
    DataError
        If they do not add up.

    References
    ----------
    Grasselli and Baroni, Nature Physics 15, 967 (2019).
    """
    from ase.data import chemical_symbols

    scalars = scalar_per_atom(charges, info.numbers, "oxidation")
    net = float(scalars.sum())
    if abs(net - total_charge) > NEUTRAL_E:
        numbers, counts = np.unique(info.numbers, return_counts=True)
        formula = " ".join(
            f"{chemical_symbols[n]}{c}" for n, c in zip(numbers.tolist(), counts.tolist(), strict=True)
        )
        raise DataError(
            f"the oxidation numbers of {formula} sum to {net:+g} e, not {total_charge:+g} e",
            "oxidation numbers are topological: they add up to the net charge of the cell",
            "correct the numbers; if an element has two oxidation states, use 'fixed:' with mean charges",
        )
    label = "oxidation:" + ",".join(f"{symbol}={value:g}" for symbol, value in charges.items())
    note = "oxidation numbers give the dc conductivity exactly, but not the spectrum at finite frequency"
    again = partial(oxidation_numbers, dict(charges), total_charge=total_charge)
    return ConstantCharges(scalars[:, None, None] * np.eye(3), label, (note,), remade=again)


def scalar_per_atom(charges: Mapping[str, float], numbers: NDArray[np.int64], name: str) -> Array:
    """Return the charge of each atom, (N,) in e, from charges per element; D and T are hydrogen."""
    from ase.data import atomic_numbers, chemical_symbols

    known = {**atomic_numbers, **{label: number for label, (number, _) in ISOTOPES.items()}}
    unknown = [symbol for symbol in charges if symbol not in known]
    if unknown:
        close = get_close_matches(str(unknown[0]).capitalize(), list(atomic_numbers), n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"{unknown[0]!r} in `charges={name}:…` is not an element",
            "charges are given per element symbol",
            f"{hint}write for example {name}:Si=3.4,O=-1.7",
        )
    table: dict[int, float] = {}
    for symbol, value in charges.items():
        if np.shape(value) != ():
            raise UsageError(
                f"`charges={name}:…` gives {symbol} {brief(value)}, not a number",
                "charges of elements are scalars",
                "give an array (N, 3, 3), one tensor per atom: atoms of an element differ by their sites",
            )
        if table.setdefault(known[symbol], float(value)) != float(value):
            raise UsageError(
                f"`charges={name}:…` gives {symbol} {value:g} e and {table[known[symbol]]:g} e",
                "isotopes of an element have the same charge",
                "give it once",
            )
    missing = sorted({int(n) for n in numbers} - set(table))
    if missing:
        symbols = ", ".join(chemical_symbols[n] for n in missing)
        raise UsageError(
            f"`charges={name}:…` gives no charge for {symbols}",
            "every element of the trajectory needs one",
            f"add {','.join(chemical_symbols[n] + '=…' for n in missing)}",
        )
    return np.array([table[int(n)] for n in numbers])
