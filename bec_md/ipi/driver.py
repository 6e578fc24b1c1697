"""The driver that i-PI loads: no energy, no forces, no virial; everything is in the extras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ipi.pes.dummy import Dummy_driver

from bec_md.arrays import Array
from bec_md.ipi.extras import BornExtras
from bec_md.structure.ase_files import read_structure

__DRIVER_NAME__ = "bec_md"
__DRIVER_CLASS__ = "BornDriver"


class BornDriver(Dummy_driver):  # type: ignore[misc]  # i-PI has no type information
    """Born effective charges for i-PI, to be added to the force field that moves the atoms.

    Parameters
    ----------
    template
        Structure file that ASE reads: the atoms in the order of i-PI.
    model
        Name or path of a network.
    **options
        Of `bec_md.network.load_model` (``device``, ``threads``), and ``verbose`` of i-PI.
    """

    def __init__(
        self, template: str | Path, model: str = "auto", *, verbose: bool = False, **options: Any
    ) -> None:
        options.pop("verbosity", None)  # i-PI gives it to every driver
        self._template, self._model, self._options = template, model, options
        super().__init__(verbose=verbose)

    def check_parameters(self) -> None:
        """Load the network."""
        self._extras = BornExtras(read_structure(self._template), self._model, **self._options)

    def compute_structure(self, cell: Array, pos: Array) -> tuple[float, Array, Array, str]:
        """Energy, forces and virial (zero), and the extras as JSON."""
        extras = json.dumps(self._extras(cell, pos))
        return 0.0, np.zeros_like(pos), np.zeros_like(cell), extras
