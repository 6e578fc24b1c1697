"""Charges of one structure as plain numbers, for whatever runs functions and stores what they return."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bec_md.errors import UsageError
from bec_md.structure import Frame
from bec_md.structure.from_ase import as_frame
from bec_md.structure.species import symbols_of


def born_charges(
    structure: Any, model: str | Path = "universal", threads: int | None = None
) -> dict[str, Any]:
    """Born effective charges and ε∞ of a crystal, as JSON can hold them.

    Parameters
    ----------
    structure
        `ase.Atoms`, the dictionary that ``Atoms.todict()`` makes of them, or a `Structure` of pymatgen.
    model
        Name or path of a network.
    threads
        Of the network.

    Returns
    -------
    ``born``, (N, 3, 3) in e with ``born[i][a][b]`` = ∂M_a/∂u_ib; ``epsilon_static``, (3, 3), the electronic
    ε∞ (clamped ions; None if the model was trained without); ``born_uncertainty_e``, (N,), standard error of
    a component (None if the model is no ensemble); ``model``, ``stated_error_e``, ``model_hash``,
    ``bec_md_version``; ``remarks``, sentences about elements and structures that it does not know well.

    Raises
    ------
    UsageError
        For something that is no periodic structure, sites that elements share, or a model that is not there.
    DataError
        If a site is no element, or the model does not know it.
    """
    from bec_md import __version__
    from bec_md.network import load_model
    from bec_md.network.second_opinion import remarks_on

    frame = _frame(structure)
    network = load_model(model, structures=[frame], threads=threads)
    found = network.predict_batch([frame])
    eps, spread = (np.asarray(x[0], dtype=np.float64) for x in (found.eps_inf, found.uncertainty_e))
    return {
        "born": np.asarray(found.born_effective_charges[0], dtype=np.float64).tolist(),
        "epsilon_static": eps.tolist() if np.isfinite(eps).all() else None,
        "born_uncertainty_e": spread.tolist() if np.isfinite(spread).all() else None,
        "model": network.name,
        "model_hash": network.fingerprint,
        "stated_error_e": network.card.get("stated_error_e"),
        "bec_md_version": __version__,
        "remarks": remarks_on(network, frame, found),
    }


def _frame(structure: Any) -> Frame:
    """Return the atoms and the cell of an ASE or pymatgen structure."""
    from ase import Atoms

    if hasattr(structure, "lattice") and hasattr(structure, "cart_coords"):  # pymatgen
        if not structure.is_ordered:
            raise UsageError(
                f"{structure.composition.reduced_formula} has sites that elements share",
                "a charge is that of one atom",
                "order the structure first, e.g. with pymatgen's OrderDisorderedStructureTransformation",
            )
        numbers = np.asarray(structure.atomic_numbers, dtype=np.int64)
        symbols_of(numbers, "the structure")
        return Frame(
            positions_ang=np.asarray(structure.cart_coords, dtype=np.float64),
            cell_ang=np.asarray(structure.lattice.matrix, dtype=np.float64),
            pbc=np.asarray(structure.lattice.pbc, dtype=bool),
            numbers=numbers,
            # `charge` adds up oxidation states, which are labels, where no charge is set
            total_charge=float(structure._charge or 0.0),
        )
    atoms = structure
    if isinstance(structure, dict) and {"numbers", "positions", "cell"} <= structure.keys():
        described = {name: value for name, value in structure.items() if name != "constraints"}
        atoms = Atoms.fromdict(described)  # type: ignore[no-untyped-call]
    if hasattr(atoms, "cell") and hasattr(atoms, "positions") and atoms.cell.rank == 3 and any(atoms.pbc):
        return as_frame(atoms)
    raise UsageError(
        f"{type(structure).__name__} is no periodic structure",
        "charges are those of a crystal",
        "give ase.Atoms with a cell and pbc (or their todict()), or a pymatgen Structure",
    )
