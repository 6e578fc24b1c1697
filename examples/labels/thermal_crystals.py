"""Parent crystals of the thermal benchmark: small cells of many chemistries, listed in
`thermal_crystals.txt`.

Space group, lattice constants and free parameters are those of the structure types as tabulated in
textbooks and databases of crystal structures; every cell is relaxed before use, so that they need to be
right to some per cent only. Origins are the first choice of the International Tables where there are
two, as ASE takes them. Most molecules of the last rows (all of space group 1) stand in small cells of
no known crystal, about as dense as real ones: what there is to learn is a molecule and its neighbors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ase import Atoms
from ase.build import make_supercell
from ase.spacegroup import crystal

DOUBLED = [[1, 1, 0], [-1, 1, 0], [0, 0, 1]]
"""Cells of two atoms are doubled, so that neighbors move against each other in more than one way."""


_TABLE = Path(__file__).with_name("thermal_crystals.txt")


@dataclass(frozen=True)
class Crystal:
    """A crystal of the benchmark: group of compounds, whether held back, sampling, and how it is built."""

    name: str
    group: str
    test: bool
    mesh_reach_ang: float  # shortest lattice vector at which the sampling of the zone may err
    space_group: int
    cell: tuple[float, ...]  # a, c or a, b, c or a, b, c, β; Å and degrees
    sites: str  # "Element x y z; Element x y z"

    def build(self) -> Atoms:
        """Return the primitive cell, or twice that of two atoms."""
        symbols, positions = [], []
        for site in self.sites.split(";"):
            symbol, *xyz = site.split()
            symbols.append(symbol)
            positions.append([_fraction(text) for text in xyz])
        parameters = _parameters(self.space_group, self.cell)
        atoms = crystal(
            symbols, positions, spacegroup=self.space_group, cellpar=parameters, primitive_cell=True
        )
        atoms = Atoms(atoms.symbols, positions=atoms.positions, cell=atoms.cell, pbc=True)
        return make_supercell(atoms, DOUBLED) if len(atoms) == 2 else atoms


def _fraction(text: str) -> float:
    numerator, _, denominator = text.partition("/")
    return float(numerator) / float(denominator or 1)


def _parameters(space_group: int, cell: tuple[float, ...]) -> list[float]:
    """Complete a, b, c, α, β, γ by the crystal system."""
    if space_group >= 195:
        return [cell[0]] * 3 + [90.0] * 3
    if space_group >= 143:
        return [cell[0], cell[0], cell[1], 90.0, 90.0, 120.0]
    if space_group >= 75:
        return [cell[0], cell[0], cell[1], 90.0, 90.0, 90.0]
    return [*cell[:3], 90.0, cell[3] if len(cell) > 3 else 90.0, 90.0]


def _row(line: str) -> Crystal:
    name, group, test, reach, number, cell, sites = line.split(maxsplit=6)
    parameters = tuple(map(float, cell.split(",")))
    return Crystal(name, group, test == "T", float(reach), int(number), parameters, sites)


_ROWS = [line for line in _TABLE.read_text().splitlines() if line.strip() and not line.startswith("#")]
CRYSTALS = {crystal.name: crystal for crystal in map(_row, _ROWS)}
