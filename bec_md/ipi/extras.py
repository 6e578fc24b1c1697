r"""What i-PI's driven dynamics and outputs want of a configuration, in its order and units.

i-PI stores :math:`\partial d_a/\partial r_{ib}` in row 3i + b and column a (the transpose of ``Z[i, a, b]``),
and refuses tensors whose mean over the atoms exceeds ``asr_threshold`` times their number.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.arrays import Array
from bec_md.charges.sum_rule import correct_equal
from bec_md.errors import DataError
from bec_md.network.loading import name_and_level
from bec_md.structure.from_ase import as_frame
from bec_md.units import BOHR_ANG

if TYPE_CHECKING:
    from ase import Atoms

    from bec_md.network import BecModel


class BornExtras:
    """Born effective charges and the dipole of configurations of one system, as i-PI takes them.

    Parameters
    ----------
    template
        Its atoms, in the order of i-PI. The cell is that of each configuration, and repeats.
    model
        A loaded model, or the name or path of one; ``auto`` looks at the template, or at the first
        configuration where that has no cell.
    **options
        Of `bec_md.network.load_model`: ``device``, ``threads``, ….

    Raises
    ------
    UsageError
        If there is no such model.
    DataError
        If the model does not know an element.
    """

    def __init__(self, template: Atoms, model: BecModel | str | Path = "auto", **options: Any) -> None:
        self._template = template.copy()  # type: ignore[no-untyped-call]
        self._template.pbc = True
        self._charge = as_frame(template).total_charge
        self._model, self._options = model, options
        if name_and_level(str(model))[0] != "auto" or self._template.cell.rank == 3:
            self._loaded()

    def _loaded(self) -> BecModel:
        """Return the network, loaded for the atoms as they are now."""
        from bec_md.network import BecModel, load_model

        if not isinstance(self._model, BecModel):
            self._model = load_model(self._model, structures=[self._template], **self._options)
        return self._model

    def __call__(self, cell_bohr: Array, positions_bohr: Array) -> dict[str, Any]:
        """Return the extras of one bead.

        Parameters
        ----------
        cell_bohr
            (3, 3), lattice vectors as columns, as i-PI sends them.
        positions_bohr
            (N, 3), not wrapped.

        Returns
        -------
        ``BEC``, (3N, 3) in e, whose sum over the atoms is the net charge in double precision; ``dipole``,
        (3,) in e bohr, where the tensors derive from a polarization; ``eps_inf``, (3, 3), where the model
        knows it.

        Raises
        ------
        DataError
            If these are not as many atoms as in the template.
        """
        atoms, places = self._template, BOHR_ANG * np.asarray(positions_bohr).reshape(-1, 3)
        if len(places) != len(atoms):
            raise DataError(
                f"{len(places)} atoms come from i-PI, and the template has {len(atoms)}",
                "the template names the elements of the atoms one by one",
                "give the structure that i-PI begins with as `template`",
            )
        atoms.set_cell(BOHR_ANG * np.asarray(cell_bohr).T)
        atoms.positions = places
        model = self._loaded()
        found = model.predict_batch([atoms])
        tensors = correct_equal(found.born_effective_charges[0], self._charge)
        extras: dict[str, Any] = {"BEC": tensors.transpose(0, 2, 1).reshape(-1, 3).tolist()}
        if model.charges_from == "dipole":
            moment = model.current([atoms], np.zeros((1, len(atoms), 3))).polarization
            assert moment is not None
            extras["dipole"] = (np.asarray(moment[0]) / BOHR_ANG).tolist()
        if np.isfinite(found.eps_inf).all():
            extras["eps_inf"] = np.asarray(found.eps_inf[0], dtype=np.float64).tolist()
        return extras
