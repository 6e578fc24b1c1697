"""n and κ over wavelengths, as the records of refractiveindex.info (YAML) that optical programs read.

Reference: Polyanskiy 2024, Sci. Data 11, 94.
"""

from __future__ import annotations

import numpy as np

from bec_md.arrays import Array
from bec_md.export.seen import Seen
from bec_md.spectrum.quantities import QUANTITIES


def refractive_index_text(seen: Seen) -> str:
    """Return the record: wavelength in µm, n, κ in DATA, and their errors in a key of our own.

    Raises
    ------
    UsageError
        Without ε_∞.
    """
    n, kappa = QUANTITIES["n"], QUANTITIES["kappa"]
    response, kept = seen.response, seen.kept(n, kappa)
    wavelength = 1e4 / seen.spectrum.wavenumber_cm[kept]
    values = [response.get(item)[kept] for item in (n, kappa)]
    errors = [response.total_error(item)[kept] for item in (n, kappa)]
    return (
        "\n".join(
            [
                "REFERENCES: |",
                f"    bec-md, calculated from {seen.source}",
                "COMMENTS: |",
                *(f"    {fact}" for fact in seen.facts()),
                "CONDITIONS:",
                f"  temperature: {seen.spectrum.temperature_k:.6g}",
                f"  resolution_cm: {seen.resolution_cm:.6g} # not of the database",
                "DATA:",
                "  - type: tabulated nk",
                "    data: |",
                *_rows(wavelength, values),
                "ERRORS: # not of the database: wavelength and standard errors of n and k",
                "  - type: tabulated nk",
                "    data: |",
                *_rows(wavelength, errors),
            ]
        )
        + "\n"
    )


def _rows(wavelength: Array, columns: list[Array]) -> list[str]:
    """Lines by ascending wavelength."""
    table = np.column_stack([wavelength, *columns])[np.argsort(wavelength, kind="stable")]
    return ["        " + " ".join(f"{value:.8g}" for value in row) for row in table]
