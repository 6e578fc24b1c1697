"""Runs of CP2K: rock salt with the force field of Born, Mayer, Huggins, Fumi and Tosi."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

EDGE_ANG = 11.28
INPUT = """&GLOBAL
  PROJECT {name}
  RUN_TYPE MD
  PRINT_LEVEL LOW
&END GLOBAL
&MOTION
  &MD
    ENSEMBLE {ensemble}
    STEPS {steps}
    TIMESTEP 2.0
    TEMPERATURE 300
    {control}
  &END MD
  &PRINT
    &TRAJECTORY
      &EACH
        MD 2
      &END EACH
    &END TRAJECTORY
    &VELOCITIES ON
      &EACH
        MD 2
      &END EACH
    &END VELOCITIES
    &CELL ON
      &EACH
        MD 2
      &END EACH
    &END CELL
  &END PRINT
&END MOTION
&FORCE_EVAL
  METHOD FIST
  STRESS_TENSOR ANALYTICAL
  &MM
    &FORCEFIELD
{forces}
    &END FORCEFIELD
    &POISSON
      &EWALD
        EWALD_TYPE SPME
        ALPHA 0.4
        GMAX 24
        O_SPLINE 6
      &END EWALD
    &END POISSON
  &END MM
  &SUBSYS
    &CELL
      ABC {edge} {edge} {edge}
    &END CELL
    &COORD
{atoms}
    &END COORD
  &END SUBSYS
&END FORCE_EVAL
"""
RESTART = """&EXT_RESTART
  RESTART_FILE_NAME equilibrated-1.restart
  RESTART_COUNTERS F
  RESTART_THERMOSTAT F
  RESTART_BAROSTAT F
&END EXT_RESTART
"""


def thermostat(kind: str, constant_fs: float) -> str:
    """A thermostat with its time constant."""
    return f"&THERMOSTAT\nTYPE {kind}\n&{kind}\nTIMECON {constant_fs}\n&END {kind}\n&END THERMOSTAT"


RUNS = {
    "NVE": ("NVE", ""),
    "Nosé": ("NVT", thermostat("NOSE", 100)),
    "CSVR": ("NVT", thermostat("CSVR", 100)),
    "Langevin": ("LANGEVIN", "&LANGEVIN\nGAMMA 0.002\n&END LANGEVIN"),
    "NPT": ("NPT_I", "&BAROSTAT\nPRESSURE 1.0\nTIMECON 500\n&END BAROSTAT\n" + thermostat("CSVR", 100)),
}


def text(name: str, ensemble: str, control: str, steps: int) -> str:
    """Input of a run."""
    charges = [f"&CHARGE\nATOM {e}\nCHARGE {q}\n&END CHARGE" for e, q in (("Na", 1.0), ("Cl", -1.0))]
    pairs = [
        f"&BMHFT\nmap_atoms {pair}\natoms {pair}\nRCUT 5.6\n&END BMHFT"
        for pair in ("NA NA", "NA CL", "CL CL")
    ]
    half = EDGE_ANG / 4
    atoms = [
        f"{'Na' if (i + j + k) % 2 == 0 else 'Cl'} {i * half} {j * half} {k * half}"
        for i in range(4)
        for j in range(4)
        for k in range(4)
    ]
    forces = "\n".join([*charges, "&NONBONDED", *pairs, "&END NONBONDED"])
    return INPUT.format(
        name=name, ensemble=ensemble, steps=steps, control=control, forces=forces, edge=EDGE_ANG,
        atoms="\n".join(atoms),
    )  # fmt: skip


def cp2k_runs(folder: Path) -> Iterator[tuple[str, Path]]:
    """Equilibrate, then yield what controls each run, and its positions."""

    def start(name: str, content: str) -> None:
        """Run CP2K in the folder."""
        (folder / f"{name}.inp").write_text(content)
        command = ["cp2k", "-i", f"{name}.inp", "-o", f"{name}.out"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    start("equilibrated", text("equilibrated", "NVT", thermostat("CSVR", 20), 1500))
    for kind, (ensemble, control) in RUNS.items():
        start(kind, text(kind, ensemble, control, 3000) + RESTART)
        yield kind, folder / f"{kind}-pos-1.xyz"
