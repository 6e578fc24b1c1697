"""Run bec-md over very long trajectories and record its memory while it works.

    python -m tests.soak ions 10_000_000        # spectrum of two ions with fixed charges
    python -m tests.soak network 1_000_000      # a current of quartz (9 atoms) with the bundled network
    python -m tests.soak lammps 100_000         # evaluations of fix bec in a running simulation
    python -m tests.soak rows 10_000_000        # spectrum of a stored current of so many rows (4.6 GB)

    python -m tests.soak figure 0 --folder FOLDER   # memory against frames from what the others wrote

Writes FOLDER/KIND.csv (seconds, rows stored, resident MB, MB that are no file's pages); `--folder` names the
place for the trajectory and all outputs, where the same command goes on after it was ended. The motion
repeats itself after `PERIOD` frames without a seam, so that a long trajectory is one text many times. Not
part of the suite: it takes from minutes to an hour.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PERIOD = 4000
BEC_MD = [str(Path(sys.executable).with_name("bec-md"))]


def text_of(symbols: list[str], masses: np.ndarray, rest: np.ndarray, cell: np.ndarray, kelvin: float) -> str:
    """One period of harmonic motion in extended XYZ, 1 fs a frame, velocities in Å/fs."""
    random = np.random.default_rng(3)
    turns = random.integers(40, 110, rest.shape)  # whole turns in a period: 330 to 920 cm⁻¹
    omega = 2.0 * np.pi * turns / PERIOD
    speed = np.sqrt(8.31446e-7 * kelvin / masses)[:, None]  # √(k_B T/m), Å/fs
    phase = omega * np.arange(PERIOD)[:, None, None] + random.uniform(0.0, 2.0 * np.pi, rest.shape)
    columns = np.concatenate(
        [rest + np.sqrt(2.0) * speed / omega * np.cos(phase), -np.sqrt(2.0) * speed * np.sin(phase)], axis=2
    )
    lattice = " ".join(f"{value:.8g}" for value in cell.ravel())
    head = f'{len(symbols)}\nLattice="{lattice}" Properties=species:S:1:pos:R:3:vel:R:3 pbc="T T T"\n'
    row = "%s " + " ".join(["%.7f"] * 6) + "\n"
    return "".join(
        head + "".join(row % (symbol, *values) for symbol, values in zip(symbols, frame, strict=True))
        for frame in columns.tolist()
    )


def write_trajectory(path: Path, kind: str, n_frames: int) -> None:
    """Write the period as often as it takes."""
    if kind == "ions":
        cell = 5.0 * np.eye(3)
        text = text_of(["Na", "Cl"], np.array([22.99, 35.45]), np.array([[1.0, 1, 1], [3, 3, 3]]), cell, 300)
    else:
        import ase.spacegroup

        quartz = ase.spacegroup.crystal(
            ["Si", "O"],
            [(0.4697, 0.0, 1 / 3), (0.4135, 0.2669, 0.4524)],
            spacegroup=152,
            cellpar=[4.916, 4.916, 5.405, 90, 90, 120],
        )
        masses, cell = quartz.get_masses(), quartz.cell.array
        text = text_of(quartz.get_chemical_symbols(), masses, quartz.positions, cell, 100.0)
    times = n_frames // PERIOD
    if path.exists() and path.stat().st_size == times * len(text.encode()):
        return  # an earlier run ended before its time: go on with what it has stored
    with path.open("w") as out:
        for _ in range(times):
            out.write(text)


def write_current(path: Path, n_frames: int) -> None:
    """Write a current of the two ions, one period of rows many times, as a run stores it."""
    from bec_md.current.chunks import joined
    from bec_md.current.options import CurrentOptions
    from bec_md.current.prepare import prepare_current
    from bec_md.current.store import CurrentStore
    from bec_md.trajectory.options import ReadOptions

    source = path.with_suffix(".xyz")
    write_trajectory(source, "ions", PERIOD)
    options = CurrentOptions(charges="fixed:Na=1,Cl=-1", threads=1)
    job = prepare_current(str(source), options, ReadOptions(timestep_fs=1.0, velocity_units="ang/fs"))
    period = joined([rows for _, rows in job.recipe.rows(0, None)])
    rows = {name: np.concatenate([values] * 32) for name, values in period.items()}
    with CurrentStore.writing(path, job.header()) as store:
        for start in range(0, n_frames, 32 * PERIOD):
            store.write(start, {name: values[: n_frames - start] for name, values in rows.items()})
        store.join(complete=True)


LAMMPS = """units metal
atom_modify map yes
read_data {data}
mass 1 28.0855
mass 2 15.999
pair_style zero 5.0
pair_coeff * *
velocity all create 50.0 1 dist gaussian
timestep 0.0005
fix spring all spring/self 5.0
fix move all nve
fix born all bec {model} Si O every 1
thermo_style custom step temp f_born[1] f_born[2] f_born[3]
thermo 1000
run {steps}
"""


def command_of(kind: str, number: int, folder: Path) -> list[str]:
    """Write what a run needs and return its command."""
    if kind == "lammps":
        import ase.io

        from bec_md.network.registry import BUNDLED

        write_trajectory(folder / "quartz.xyz", "network", PERIOD)
        frame = ase.io.read(folder / "quartz.xyz", index=0)
        ase.io.write(folder / "quartz.data", frame, format="lammps-data", specorder=["Si", "O"])
        script = LAMMPS.format(data="quartz.data", model=BUNDLED / "silica.safetensors", steps=number)
        (folder / "in.soak").write_text(script)
        return [str(Path(sys.executable).with_name("lmp")), "-in", "in.soak", "-log", "none"]
    if kind == "rows":
        write_current(folder / "rows.h5", number)
        return [*BEC_MD, "spectrum", "rows.h5", "-q", "-o", "rows_spectrum.h5", "--csv", "rows.table.csv"]
    write_trajectory(folder / f"{kind}.xyz", kind, number)
    units = ["--timestep", "1", "--velocity-units", "ang/fs", "--threads", "1", "-q"]
    if kind == "ions":
        fixed = ["--charges", "fixed:Na=1,Cl=-1", "-o", "ions_spectrum.h5", "--csv", "ions.table.csv"]
        return [*BEC_MD, "spectrum", "ions.xyz", *units, *fixed]
    return [*BEC_MD, "current", "network.xyz", *units, "-o", "network_current.h5"]


def megabytes(pid: int) -> tuple[float, float]:
    """Resident memory of a process with its children, and the part that is no file's pages, MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    total, own = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("VmRSS", "RssAnon"))  # type: ignore[index]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    below = [megabytes(int(child)) for child in children]
    return total / 1024 + sum(a for a, _ in below), own / 1024 + sum(b for _, b in below)


def rows_stored(folder: Path, kind: str) -> int:
    """Rows of the chunks beside the current file."""
    chunks = folder.glob(f"{kind}_current.h5.parts/rows-*.h5")
    names = (path.stem.split("-") for path in chunks if ".partial" not in path.name)
    return max((int(name[-1]) for name in names), default=0)


def record(command: list[str], folder: Path, table: Path) -> int:
    """Run a command and write a line about its memory every second; return its exit status."""
    start = time.monotonic()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, env=environment)
    with table.open("w") as out:
        out.write("seconds,rows,resident_mb,own_mb\n")
        while process.poll() is None:
            try:
                resident, own = megabytes(process.pid)
            except (OSError, TypeError):  # it has just ended
                break
            seconds = time.monotonic() - start
            out.write(f"{seconds:.1f},{rows_stored(folder, table.stem)},{resident:.1f},{own:.1f}\n")
            out.flush()
            time.sleep(1.0)
    return process.wait()


def draw(folder: Path) -> None:
    """Draw FOLDER/memory.png: own memory against rows stored."""
    from bec_md.plot.palette import COLORS
    from bec_md.plot.save import save_figure
    from bec_md.plot.style import bare_figure, figure_style

    names = {"ions": "spectrum, 2 ions, fixed charges", "network": "current, quartz, network"}
    with figure_style():
        figure = bare_figure((3.6, 2.4))
        ax = figure.add_subplot()
        for color, (kind, label) in zip(COLORS, names.items(), strict=False):
            if (folder / f"{kind}.csv").exists():
                table = np.genfromtxt(folder / f"{kind}.csv", delimiter=",", names=True)
                stored = table["rows"] > 0
                ax.plot(table["rows"][stored] / 1e6, table["own_mb"][stored], color=color, label=label)
        ax.set(xlabel="frames done (10⁶)", ylabel="own memory (MB)", ylim=(0, 300), xlim=(0, None))
        ax.legend(frameon=False, loc="lower right")
        save_figure(figure, folder / "memory.png")


def main() -> None:
    """Parse the command line, run, and say what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=["ions", "network", "lammps", "rows", "figure"])
    parser.add_argument("number", type=int, help="frames, or steps of LAMMPS")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    folder = (options.folder or Path(tempfile.mkdtemp())).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if options.kind == "figure":
        draw(folder)
        return
    table = folder / f"{options.kind}.csv"
    status = record(command_of(options.kind, options.number, folder), folder, table)
    own = np.atleast_1d(np.genfromtxt(table, delimiter=",", names=True)["own_mb"])
    late = own[len(own) // 5 :]
    print(f"exit status {status}; own memory after a fifth of the time {late[0]:.0f} MB, ", end="")
    print(f"largest {own.max():.0f} MB, at the end {own[-1]:.0f} MB; all values in {table}")


if __name__ == "__main__":
    main()
