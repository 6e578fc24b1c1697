"""Polarization–field loop of BaTiO3: coercive field, remanent polarization, and the weak-field response.

    python loop.py [--cells 2] [--amplitude 0.2] [--period 20] [--cycles 4] [--output loop.png]

Runs loop.in, unless its tables lie in the present folder. P is counted from the middle between the branches
at E = 0. Where P changes its sign is one value of the coercive field in each half cycle, where E does one of
the remanent polarization. The slope of P(E) there is ε₀ V χ, and so are the fluctuations of the run without a
field, ⟨δP²⟩/(k_B T): both say ε(0) − ε_∞ along the polar axis.
"""

from __future__ import annotations

import argparse
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.units import BOLTZMANN_EV_K

HERE = Path(__file__).parent
Array = NDArray[np.float64]
Measured = tuple[float, float]  # value and standard error
#: ε₀ in e²/(eV Å), and e/Å² in C/m².
EPSILON_0 = 8.8541878128e-12 / 1.602176634e-19 * 1e-10
C_PER_M2 = 16.02176634
MV_PER_M = 1e4  # of V/Å
CELL_ANG3 = 3.966085**2 * 4.304026
#: Time between samples, ps, and the part of a cycle whose mean is one point: vibrations of P are left out.
SAMPLE_PS, POINT = 0.02, 0.01
#: Part of the amplitude around E = 0 in which the branches are straight.
WEAK = 0.3
BLOCKS = 8


def simulate(options: argparse.Namespace) -> None:
    """Run loop.in in the present folder."""
    for file in ("batio3_pod_param.pod", "batio3_pod_coefficients.pod"):
        Path(file).write_bytes((HERE / file).read_bytes())
    names = ("amplitude", "period", "cycles", "free", "temperature", "equilibration")
    given = {"n": options.cells, **{name: getattr(options, name) for name in names}}
    variables = [word for name, value in given.items() for word in ("-var", name, str(value))]
    command = ["lmp", "-in", str(HERE / "loop.in"), "-log", "batio3.log", "-screen", "none"]
    subprocess.run([*command, *variables], check=True)


def mean_and_error(values: Array) -> Measured:
    """Mean and its standard error; NaN of less than two values."""
    if len(values) < 2:
        return float("nan"), float("nan")
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def points(samples: Array, period_ps: float) -> Array:
    """Means of consecutive rows."""
    size = max(1, round(POINT * period_ps / SAMPLE_PS))
    return samples[: len(samples) // size * size].reshape(-1, size, samples.shape[1]).mean(axis=1)


def half_cycles(field: Array) -> list[Array]:
    """Indices of each stretch from one extreme of the field to the next, from the first one on."""
    turns = np.flatnonzero(np.diff(np.sign(np.diff(field)))) + 1
    return [np.arange(a, b + 1) for a, b in pairwise(turns)]


def switching_field(field: Array, polarization: Array) -> float:
    """|E| at which P changes its sign for the last time in a half cycle; NaN where it does not."""
    at = np.flatnonzero(polarization[:-1] * polarization[1:] < 0)
    if len(at) == 0:
        return float("nan")
    k = at[-1]
    part = polarization[k] / (polarization[k] - polarization[k + 1])
    return abs(float(field[k] + part * (field[k + 1] - field[k])))


def weak_line(field: Array, polarization: Array, amplitude: float) -> tuple[float, float]:
    """Slope of P(E) around E = 0 in a half cycle, and P at E = 0."""
    inside = np.abs(field) < WEAK * amplitude
    slope, remanent = np.polyfit(field[inside], polarization[inside], 1)
    return float(slope), float(remanent)


def draw(field: Array, density: Array, coercive: Measured, remanent: Measured, output: Path) -> None:
    """The loop with its coercive field and remanent polarization, and their standard errors."""
    from bec_md.plot import save_figure
    from bec_md.plot.palette import COLORS, GREY, INK
    from bec_md.plot.style import bare_figure, figure_style, pin_ticks

    with figure_style():
        figure = bare_figure((3.4, 2.8))
        axes = pin_ticks(figure.subplots())
        axes.axhline(0.0, color=GREY, linewidth=0.6)
        axes.axvline(0.0, color=GREY, linewidth=0.6)
        axes.plot(field, density, color=INK, linewidth=0.9)
        both = np.array([-1.0, 1.0])
        mark = {"linestyle": "none", "markersize": 4, "capsize": 3}
        axes.errorbar(
            both * coercive[0], 0 * both, xerr=coercive[1], fmt="o", color=COLORS[0], label=r"$E_c$", **mark
        )
        axes.errorbar(
            0 * both, both * remanent[0], yerr=remanent[1], fmt="s", color=COLORS[1], label=r"$P_r$", **mark
        )
        axes.set_xlabel("Field (MV/m)")
        axes.set_ylabel("Polarization (C/m²)")
        axes.legend(loc="upper left")
        save_figure(figure, output)


def main() -> None:
    """Simulate, analyze, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cells", type=int, default=2, help="n × n × n cells of 5 atoms")
    parser.add_argument("--amplitude", type=float, default=0.2, help="V/Å")
    parser.add_argument("--period", type=float, default=20.0, help="ps")
    parser.add_argument("--cycles", type=int, default=4)
    parser.add_argument("--free", type=float, default=20.0, help="ps without a field")
    parser.add_argument("--temperature", type=float, default=300.0, help="K")
    parser.add_argument("--equilibration", type=int, default=5000, help="steps of 1 fs")
    parser.add_argument("--output", type=Path, default=Path("loop.png"))
    options = parser.parse_args()
    tables = [Path("batio3_free.dat"), Path("batio3_loop.dat")]
    if not all(table.is_file() for table in tables):
        simulate(options)
    free = np.loadtxt(tables[0])[:, 1]
    field, polarization = points(np.loadtxt(tables[1])[:, 1:3], options.period).T
    volume = CELL_ANG3 * options.cells**3

    halves = half_cycles(field)
    lines = np.array([weak_line(field[half], polarization[half], options.amplitude) for half in halves])
    upper, lower = lines[lines[:, 1] > lines[:, 1].mean(), 1], lines[lines[:, 1] < lines[:, 1].mean(), 1]
    middle = 0.5 * (upper.mean() + lower.mean())
    density = C_PER_M2 * (polarization - middle) / volume
    switched = np.array([switching_field(field[half], density[half]) for half in halves])
    coercive = mean_and_error(MV_PER_M * switched[np.isfinite(switched)])
    remanent = mean_and_error(C_PER_M2 * np.abs(lines[:, 1] - middle) / volume)
    response = mean_and_error(lines[:, 0] / (EPSILON_0 * volume))
    squares = (free - free.mean()) ** 2 / (EPSILON_0 * volume * BOLTZMANN_EV_K * options.temperature)
    fluctuations = mean_and_error(np.array([part.mean() for part in np.array_split(squares, BLOCKS)]))
    print(f"half cycles                 {len(halves)}, {np.isfinite(switched).sum()} with a switch")
    print(f"coercive field              {coercive[0]:.0f} ± {coercive[1]:.0f} MV/m")
    print(f"remanent polarization       {remanent[0]:.4f} ± {remanent[1]:.4f} C/m²")
    print(f"ε(0) − ε_∞ from the slope   {response[0]:.2f} ± {response[1]:.2f}")
    print(f"    from the fluctuations   {fluctuations[0]:.2f} ± {fluctuations[1]:.2f}")
    draw(MV_PER_M * field, density, coercive, remanent, options.output)
    print(options.output)


if __name__ == "__main__":
    main()
