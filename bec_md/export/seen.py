"""What is exported: a spectrum along a direction, at frequencies where its functions mean something."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.current.provenance import first_source
from bec_md.errors import DataError
from bec_md.spectrum.quantities import QUANTITIES, Quantity
from bec_md.spectrum.response.direction import Direction, to_direction
from bec_md.spectrum.response.scalar import Response
from bec_md.spectrum.spectrum import Along, Spectrum


@dataclass(frozen=True, eq=False)
class Seen:
    """A spectrum as it is exported.

    Parameters
    ----------
    spectrum
        The spectrum.
    along
        Direction; None where nothing was chosen.
    quantity
        Function of frequency; None where nothing was chosen.
    """

    spectrum: Spectrum
    along: Along = None
    quantity: Quantity | None = None

    @property
    def direction(self) -> Direction:
        """Direction, the average if none was chosen."""
        return to_direction(self.along)

    @property
    def response(self) -> Response:
        """The spectrum along the direction."""
        return self.spectrum.along(self.direction)

    @property
    def shown(self) -> Quantity:
        """Quantity, by default what absorbs: α, or nα where ε_∞ is not known."""
        default = "n_alpha" if self.spectrum.eps_inf is None else "alpha_cm"
        return self.quantity or QUANTITIES[default]

    @property
    def resolution_cm(self) -> float:
        """Width of the smoothing, cm⁻¹."""
        return float(self.spectrum.parameters["resolution_cm"])

    def kept(self, *quantities: Quantity) -> NDArray[np.bool_]:
        """(F,) where all of these mean something: what follows from σ/ω not within a resolution of zero.

        Raises
        ------
        DataError
            If fewer than two frequencies are left.
        """
        nu: Array = self.spectrum.wavenumber_cm
        over = any(quantity.over_omega for quantity in quantities)
        kept = np.asarray(nu >= (self.resolution_cm if over else 0.0))
        if kept.sum() < 2:
            raise DataError(
                f"no frequencies above {self.resolution_cm:g} cm⁻¹",
                "what follows from σ/ω means nothing within one resolution of zero",
                "compute the spectrum to a higher wavenumber",
            )
        return kept

    @property
    def source(self) -> str:
        """Name of what the spectrum was computed from, in one line of ASCII."""
        others = int(self.spectrum.parameters.get("n_replicas") or 1) - 1
        first = first_source(self.spectrum.metadata) or "a run"
        return _plain(first + (f" and {others} more" if others > 0 else ""))

    def facts(self) -> list[str]:
        """Sentences on where the numbers come from, for comments."""
        spectrum = self.spectrum
        version = spectrum.parameters.get("bec_md_version", "")
        charges = str(spectrum.metadata.get("model") or spectrum.metadata.get("charges") or "stored")
        lines = [
            f"Calculated by bec-md {version} from molecular dynamics, not measured; "
            f"Born effective charges: {charges}",
            f"direction {self.direction.label}, resolution {self.resolution_cm:g} cm^-1, "
            f"{spectrum.temperature_k:g} K",
            "errors are one standard error: sampling, and the ensemble of networks where there is one",
        ]
        if spectrum.eps_inf is not None:
            elements = " ".join(f"{value:.5g}" for value in np.diag(spectrum.eps_inf))
            lines.append(f"eps_inf (diagonal) {elements}")
        return [_plain(line) for line in lines]


def _plain(text: str) -> str:
    """One line of ASCII, which any format takes as a comment."""
    shown = "".join(letter if " " < letter <= "~" else " " if letter.isspace() else "?" for letter in text)
    return " ".join(shown.split())
