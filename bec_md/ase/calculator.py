"""Born effective charges, ε∞ and polarization as an ASE calculator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from bec_md.arrays import Array
from bec_md.network import BecModel
from bec_md.network.loading import SuitableModel
from bec_md.structure.from_ase import as_frame


class ModelCalculator(Calculator, ABC):
    """A calculator that needs a network; one given by name is loaded when it is needed.

    Parameters
    ----------
    model
        A loaded model, or the name or path of one.
    **options
        Of `bec_md.network.load_model`: ``device``, ``threads``, ``level``, ….
    """

    def __init__(self, model: BecModel | str | Path, **options: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._network = SuitableModel(model, options)

    def loaded(self, atoms: Atoms) -> BecModel:
        """Return the network for these atoms."""
        return self._network.of(atoms)

    def dipole(self, atoms: Atoms) -> Array | None:
        """Return the dipole P of the cell, positions as given, (3,) e Å; None if the model has none."""
        still = np.zeros((1, len(atoms), 3))
        model = self.loaded(atoms)
        found = model.current([atoms], still).polarization if model.charges_from == "dipole" else None
        return None if found is None else found[0]

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Return what has changed since the results: also the net charge, which ASE does not look at."""
        changes: list[str] = super().check_state(atoms, tol=tol)  # type: ignore[no-untyped-call]
        if self.atoms is not None and as_frame(self.atoms).total_charge != as_frame(atoms).total_charge:
            changes.append("total_charge")
        return changes

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] | None = None,
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute all properties of these atoms."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        assert self.atoms is not None
        self.results = self.properties_of(self.atoms)
        for name in properties or ():
            if name not in self.results:
                flat = name == "polarization" and not self.atoms.cell.volume
                who = "a cell without volume" if flat else f"model {self.loaded(self.atoms).name}"
                raise PropertyNotImplementedError(f"{who} has no {name.replace('_', ' ')}")

    @abstractmethod
    def properties_of(self, atoms: Atoms) -> dict[str, Any]:
        """Return the results by their names."""


class BornCharges(ModelCalculator):
    """A network as a calculator of dielectric properties: no energy, no forces.

    Properties, by the names of ASE: ``born_effective_charges`` (N, 3, 3) in e with ``Z[i, a, b]`` =
    ∂M_a/∂u_ib (first index polarization); ``dielectric_tensor`` (3, 3), the electronic one ε∞, where the
    model was trained with it; ``polarization`` (3,), cell dipole by volume in e/Å² for positions as given
    (not wrapped), of models whose tensors derive from one, in cells with a volume.
    ``results["uncertainty_e"]`` (N,) holds the calibrated standard error of a component of Z* in e
    (NaN if the model is no ensemble).

    Parameters
    ----------
    model
        A loaded model, or the name or path of one.
    **options
        Of `bec_md.network.load_model`: ``device``, ``threads``, ``level``, ….

    Raises
    ------
    PropertyNotImplementedError
        If ε∞ or a polarization is asked for that the model, or a cell without volume, does not have.
    DataError
        If the model does not know an element.
    """

    def __init__(self, model: BecModel | str | Path = "auto", **options: Any) -> None:
        super().__init__(model, **options)
        self.implemented_properties = ["born_effective_charges", "dielectric_tensor", "polarization"]

    def properties_of(self, atoms: Atoms) -> dict[str, Any]:
        """Predict everything that the model gives."""
        found = self.loaded(atoms).predict_batch([atoms])
        dipole = self.dipole(atoms) if atoms.cell.volume else None
        results: dict[str, Any] = {
            "born_effective_charges": found.born_effective_charges[0],
            "uncertainty_e": found.uncertainty_e[0],
        }
        if np.isfinite(found.eps_inf).all():
            results["dielectric_tensor"] = found.eps_inf[0]
        if dipole is not None:
            results["polarization"] = dipole / atoms.cell.volume
        return results
