"""Born effective charges as a maker of jobflow, where atomate2 and others take one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bec_md.optional import optional_package
from bec_md.workflows.charges import born_charges

_jobflow = optional_package("jobflow")


@dataclass
class BornChargesMaker(_jobflow.Maker):  # type: ignore[misc, name-defined]  # jobflow may be missing
    """A maker of one job that predicts Born effective charges and ε∞.

    The output is that of `born_charges`. It holds the numbers also where atomate2 looks for those of a DFPT
    calculation (``calcs_reversed[0].output``), so that the maker can be the ``born_maker`` of a phonon flow.

    Parameters
    ----------
    name
        Of the job.
    model
        Name or path of a network; a path has to exist where the job runs.
    threads
        Of the network.
    """

    name: str = "born effective charges"
    model: str = "universal"
    threads: int | None = None

    @_jobflow.job  # type: ignore[untyped-decorator]
    def make(self, structure: Any, prev_dir: str | None = None) -> dict[str, Any]:
        """Predict the charges of a structure.

        Parameters
        ----------
        structure
            A `Structure` of pymatgen; `ase.Atoms` as ``atoms.todict()``, because jobflow stores arguments.
        prev_dir
            Not used: nothing is continued.

        Returns
        -------
        dict
            As `born_charges`.

        Raises
        ------
        UsageError, DataError
            As `born_charges`.
        """
        found = born_charges(structure, self.model, self.threads)
        output = {"epsilon_static": found["epsilon_static"], "outcar": {"born": found["born"]}}
        return {**found, "calcs_reversed": [{"output": output}], "dir_name": None, "uuid": None}
