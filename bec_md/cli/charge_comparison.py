"""``--compare-charges``: dynamic, static and fixed charges on the same motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bec_md.cli.console import Console
from bec_md.cli.outputs import guard
from bec_md.errors import UsageError

if TYPE_CHECKING:
    from bec_md.cli.inputs import Source
    from bec_md.current.job import CurrentJob
    from bec_md.current.series import CurrentSeries
    from bec_md.spectrum import SpectrumOptions
    from bec_md.spectrum.analysis.charge_comparison import ChargeComparison


@dataclass(frozen=True)
class CompareOptions:
    """Whether and with what the charges are compared."""

    compare_charges: Path | None = None
    oxidation: str | None = None

    def check(self, sources: Sequence[Source]) -> None:
        """Refuse, before any work, what cannot be compared.

        Raises
        ------
        UsageError
            For stored currents (no velocities of atoms) and charges that do not change.
        """
        if self.compare_charges is None:
            if self.oxidation is not None:
                raise UsageError(
                    f"--oxidation {self.oxidation} without --compare-charges",
                    "it adds a curve to that figure",
                    "use --charges oxidation:… for a spectrum of its own, or add --compare-charges FILE.png",
                )
            return
        guard({"--compare-charges": self.compare_charges}, figures=("--compare-charges",))
        for source in sources:
            if source.job is None:
                raise UsageError(
                    f"--compare-charges with the current {source.path}",
                    "other charges need the velocities of the atoms, which a current does not hold",
                    "name the trajectory; its stored current is used where it is there",
                )
            if source.job.recipe.charges.constant:
                raise UsageError(
                    f"--compare-charges with {source.job.charges_name}",
                    "these charges are the same in every frame: there is no dynamic part to compare with",
                    "use --charges model or --charges file",
                )


def compare(
    console: Console,
    sources: Sequence[Source],
    series: Sequence[CurrentSeries],
    options: CompareOptions,
    settings: SpectrumOptions,
) -> ChargeComparison:
    """Compute the simpler currents and compare the spectra."""
    from bec_md.current.variants import DYNAMIC
    from bec_md.spectrum.analysis.charge_comparison import compare_charges

    currents: dict[str, list[CurrentSeries]] = {DYNAMIC: list(series)}
    for source in sources:
        assert source.job is not None  # checked before
        for name, one in _simpler(console, source.job, options).items():
            currents.setdefault(name, []).append(one)
    return compare_charges(currents, options=settings)


def _simpler(console: Console, job: CurrentJob, options: CompareOptions) -> dict[str, CurrentSeries]:
    import numpy as np

    from bec_md.charges.constant import oxidation_numbers, scalar_per_atom
    from bec_md.charges.factory import parse_scalars
    from bec_md.current.variants import FIXED, OXIDATION, STATIC, mean_tensors, static_currents

    mean = mean_tensors(job.recipe, job.info.n_frames)
    numbers = job.info.numbers
    scalars = mean.isotropic(numbers)
    tensors = {
        STATIC: mean.tensors,
        FIXED: np.array([scalars[int(z)] for z in numbers])[:, None, None] * np.eye(3),
    }
    from ase.data import chemical_symbols

    shown = ", ".join(f"{chemical_symbols[z]} {value:+.3f}" for z, value in scalars.items())
    console.item(
        "charges",
        f"static: mean tensors of {mean.frames} frames (dynamic ones fluctuate by {mean.fluctuation_e:.2g} "
        f"e, r.m.s.); fixed: {shown} e",
    )
    if options.oxidation is not None:
        charges = parse_scalars(options.oxidation, "oxidation")
        oxidation_numbers(charges, job.info, job.total_charge_e)  # they must add up
        tensors[OXIDATION] = scalar_per_atom(charges, numbers, "oxidation")[:, None, None] * np.eye(3)
    return static_currents(job, tensors)


def show_comparison(console: Console, comparison: ChargeComparison) -> None:
    """Print the table of `compare`."""
    console.say()
    console.say("charges            Σtr(ZZᵀ)/m   intensity        |Δnα|   significant   largest difference")
    for row in comparison.table:
        start = f"{row.name:18s} {row.zz_over_mass:8.4g}    "
        if row.largest_delta == 0.0 and row.changed_share == 0.0:
            console.say(start + "reference" if row is comparison.table[0] else start + "the same")
            continue
        ratio = f"{row.intensity_ratio:7.3f} ± {row.intensity_ratio_err:.3f}"
        console.say(
            f"{start}{ratio} {100 * row.changed_share:7.1f} % {100 * row.significant_share:9.1f} %   "
            f"{row.largest_delta:+.3g} cm⁻¹ ({row.largest_delta_z:+.1f} σ) at {row.largest_delta_cm:.0f}"
        )
    conductors = [row for row in comparison.table if row.sigma_dc_s_per_m is not None]
    for row in conductors:
        console.say(f"{row.name:18s} σ_dc {row.sigma_dc_s_per_m:.3g} ± {row.sigma_dc_err_s_per_m:.2g} S/m")
    console.say(
        "intensity: ∫nα over that of the reference; significant: share of the absorption where the "
        "difference exceeds 2 σ"
    )


def draw_comparison(comparison: ChargeComparison, path: Path) -> None:
    """Write the figure."""
    from bec_md.plot import plot_compare_charges, save_figure

    save_figure(plot_compare_charges(comparison.spectra), path)
