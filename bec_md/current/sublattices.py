"""The sublattices of a crystal as groups: atoms that a translation of its primitive cell brings together."""

from __future__ import annotations

from bec_md.current.grouping import Groups, from_labels
from bec_md.errors import DataError
from bec_md.structure.spacegroup import ask_spglib, cell_of
from bec_md.trajectory.mean_structure import LIQUID, MeanStructure

#: Most sublattices: the current stores the sums of each.
MOST = 64
_FIX = "give one label per atom as `groups`, or `groups=species`"


def sublattices(mean: MeanStructure) -> Groups:
    """Divide the atoms of a crystal into the sublattices of its primitive cell (spglib).

    Raises
    ------
    DataError
        For a liquid, and for a crystal of too many sublattices.
    """
    if not mean.is_crystal:
        raise DataError(
            f"no sublattices: r.m.s. displacements are {mean.spread:.2g} of the distance to the neighbors",
            f"atoms of a crystal stay within {LIQUID:g} of it",
            _FIX,
        )
    cell = cell_of(mean.cell_ang, mean.positions_ang, mean.numbers)
    found = ask_spglib("get_symmetry_dataset", cell, symprec=mean.tolerance_ang)
    if found is None:
        raise DataError(
            f"no sublattices are found within {mean.tolerance_ang:.2g} Å",
            "the mean structure of the run has no space group",
            _FIX,
        )
    site = [int(number) for number in found.mapping_to_primitive]
    if len(set(site)) > MOST:
        raise DataError(
            f"{len(set(site))} sublattices",
            f"a current keeps the sums of at most {MOST}, and the cell may be no supercell of a smaller one",
            _FIX,
        )
    from ase.data import chemical_symbols

    symbols = [chemical_symbols[number] for number in mean.numbers.tolist()]
    own: dict[str, list[int]] = {}
    for symbol, number in zip(symbols, site, strict=True):
        if number not in own.setdefault(symbol, []):
            own[symbol].append(number)
    return from_labels(
        [
            symbol if len(own[symbol]) == 1 else f"{symbol}{own[symbol].index(number) + 1}"
            for symbol, number in zip(symbols, site, strict=True)
        ]
    )
