"""Harmonic infrared response of unseen crystals: predicted against labelled charges on the same DFT modes.

    python tests/benchmarks/harmonic_ir.py DATA [--model universal@pbesol] [--figure harmonic_ir.png]

DATA holds phonondb_test.xyz and phonondb_test_modes.npz (phonon database of A. Togo, CC BY 4.0), or test/
with them. The two spectra of a crystal differ by the charges alone: modes, masses and volume are the same.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.formula import Formula

from bec_md.modes.harmonic import HarmonicResponse
from bec_md.network import load_model
from bec_md.plot.style import bare_figure, figure_size, figure_style, pin_ticks
from bec_md.structure import Frame
from bec_md.structure.extxyz import read_frames

DAMPING_CM = 10.0
GRID_CM = np.arange(1.0, 4001.0, 1.0)
ACTIVE = 0.02
"""A mode is active if it carries this part of the strongest mode's intensity."""


@dataclass(frozen=True)
class Comparison:
    """Errors of one crystal."""

    formula: str
    ionic: float  # tr ε_ionic of prediction over that of label, minus one
    overlap: float  # cosine of the two spectra
    area: float  # ∫|difference| / ∫label
    intensity: float  # median relative error of active modes (degenerate ones summed)
    eps_inf: float  # tr ε∞, relative
    longitudinal_cm: float  # largest |error| of all frequencies along x, y, z
    labels: HarmonicResponse
    predicted: HarmonicResponse


def responses(folder: Path, model: str) -> list[Comparison]:
    """Compare all crystals that have modes."""
    network = load_model(model, threads=1)
    frames = read_frames(folder / "phonondb_test.xyz")
    by_index = {frame.index: frame for frame in frames}
    out, mode, vector, atom = [], 0, 0, 0
    with np.load(folder / "phonondb_test_modes.npz") as file:
        data = {key: file[key] for key in file.files}
    for index, n_atoms in zip(data["index"].tolist(), data["n_atoms"].tolist(), strict=True):
        n_modes = 3 * n_atoms
        frequencies = data["wavenumber_cm"][mode : mode + n_modes].astype(float)
        vectors = data["eigenvectors"][vector : vector + n_modes * n_modes].astype(float)
        masses = data["masses_amu"][atom : atom + n_atoms].astype(float)
        mode, vector, atom = mode + n_modes, vector + n_modes * n_modes, atom + n_atoms
        if index in by_index:
            eigenvectors = vectors.reshape(n_modes, n_atoms, 3)
            out.append(compare(by_index[index], network, frequencies, eigenvectors, masses))
    return out


def compare(
    frame: Frame, network: object, frequencies: np.ndarray, vectors: np.ndarray, masses: np.ndarray
) -> Comparison:
    """Spectra of one crystal from labelled and from predicted charges."""
    charges = frame.born_effective_charges
    charges = charges - (charges.sum(axis=0) - frame.total_charge * np.eye(3)) / frame.n_atoms
    prediction = network.predict_batch([frame])  # type: ignore[attr-defined]
    volume = abs(np.linalg.det(frame.cell_ang))

    def response(z: np.ndarray, eps: np.ndarray) -> HarmonicResponse:
        weighted = z / np.sqrt(masses)[:, None, None]
        return HarmonicResponse(frequencies, np.einsum("iab,mib->ma", weighted, vectors), volume, eps)

    assert frame.eps_inf is not None
    label = response(charges, frame.eps_inf)
    found = response(prediction.born_effective_charges[0], prediction.eps_inf[0])
    a, b = (np.trace(r.eps(GRID_CM, DAMPING_CM).imag, axis1=1, axis2=2) * GRID_CM for r in (label, found))
    groups = np.split(np.arange(len(frequencies)), np.flatnonzero(np.diff(frequencies) > 0.5) + 1)
    sums = np.array(
        [[r.intensities_km_mol[g].sum() for g in groups if r.optical[g].all()] for r in (label, found)]
    )
    active = sums[0] > ACTIVE * sums[0].max()
    axes = np.eye(3)
    return Comparison(
        frame.formula,
        float(np.trace(found.ionic_eps) / np.trace(label.ionic_eps) - 1),
        float(a @ b / np.sqrt((a @ a) * (b @ b))),
        float(np.abs(a - b).sum() / a.sum()),
        float(np.median(np.abs(sums[1] / np.maximum(sums[0], 1e-12) - 1)[active])),
        float(np.trace(found.eps_inf) / np.trace(label.eps_inf) - 1),
        float(max(np.abs(found.along(x) - label.along(x)).max() for x in axes)),
        label,
        found,
    )


def table(rows: list[Comparison]) -> str:
    """Return the errors as Markdown: median, 75th, 90th and 95th percentile."""
    lines = ["| | median | 75 % | 90 % | 95 % |", "|---|---:|---:|---:|---:|"]
    for name, values, unit in (
        ("ionic ε, relative", [abs(r.ionic) for r in rows], "%"),
        ("∫ of the difference of ν·ε₂ over that of the label", [r.area for r in rows], "%"),
        ("intensities of active modes, median of a crystal", [r.intensity for r in rows], "%"),
        ("ε∞, relative", [abs(r.eps_inf) for r in rows], "%"),
        ("LO frequencies, largest error of a crystal", [r.longitudinal_cm for r in rows], "cm⁻¹"),
        ("1 − overlap of the spectra", [1 - r.overlap for r in rows], ""),
    ):
        factor = 100.0 if unit == "%" else 1.0
        cells = [f"{factor * q:.2g} {unit}".strip() for q in np.quantile(values, [0.5, 0.75, 0.9, 0.95])]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(rows: list[Comparison], path: Path) -> None:
    """Draw the distribution of errors and the spectra of the crystals at three of its percentiles."""
    order = sorted(rows, key=lambda r: r.area)
    quantiles = {"25th percentile": 0.25, "median": 0.5, "90th percentile": 0.9}
    with figure_style():
        figure = bare_figure(figure_size("double", 1.0))
        first, *others = map(pin_ticks, figure.subplots(2, 2).flat)
        below = 100 * np.arange(1, len(rows) + 1) / len(rows)
        for name, values in (
            ("ionic ε", [abs(r.ionic) for r in rows]),
            ("spectrum, ∫|Δ|", [r.area for r in rows]),
            ("mode intensity", [r.intensity for r in rows]),
        ):
            first.plot(100 * np.sort(values), below, label=name)
        first.set(xscale="log", xlim=(0.2, 100), ylim=(0, 100))
        first.set(xlabel="error (%)", ylabel="crystals below it (%)")
        first.xaxis.set_major_formatter("{x:g}")
        first.legend()
        for panel, (text, quantile) in zip(others, quantiles.items(), strict=True):
            row = order[round(quantile * (len(order) - 1))]
            top = 1.15 * row.labels.frequencies_cm.max()
            nu = np.arange(1.0, top, 0.5)
            for name, response, look in (
                ("DFT", row.labels, {"color": "0.7", "linewidth": 3.0}),
                ("predicted", row.predicted, {"color": "C1"}),
            ):
                curve = np.trace(response.eps(nu, DAMPING_CM).imag, axis1=1, axis2=2) / 3 * nu
                panel.plot(nu, curve / 1e3, label=name, **look)
            formula = (
                Formula(row.formula).convert("periodic").format("latex").replace("$_", "$_\\mathregular")
            )
            panel.set_title(f"{formula}: {100 * row.area:.1f} % ({text})", fontsize=8)
            panel.set(xlabel="wavenumber (cm⁻¹)", ylabel="ν ε₂ (10³ cm⁻¹)", xlim=(0, top), ylim=(0, None))
            panel.legend()
        figure.savefig(path, dpi=200)


def main() -> None:
    """Print the table, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="universal@pbesol")
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    folder = arguments.data / "test" if (arguments.data / "test").is_dir() else arguments.data
    rows = responses(folder, arguments.model)
    print(f"{len(rows)} crystals, {arguments.model}\n\n{table(rows)}")
    if arguments.figure is not None:
        draw(rows, arguments.figure)


if __name__ == "__main__":
    main()
