"""The formulas behind a spectrum, as they were used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bec_md.spectrum.spectrum import Spectrum


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula with words.

    Parameters
    ----------
    mathtext
        Without dollars.
    spoken
        The same in Unicode, for those who do not see it.
    words
        What it is, in plain text.
    """

    mathtext: str
    spoken: str
    words: str


_CURRENT = Formula(
    r"J_a(t) = \sum_{i,b}\, Z^*_{i,ab}(t)\, v_{i,b}(t), \quad Z^*_{i,ab} = \partial M_a / \partial u_{i,b}",
    "J_a(t) = Σ_i Σ_b Z*_i,ab(t) v_i,b(t)",
    "Polarization current of the cell; first index: polarization, second: displacement.",
)
_SUM_RULES = {
    "mass": Formula(
        r"Z^*_i \to Z^*_i - \dfrac{m_i}{M}\, \sum_j\, Z^*_j",
        "Z_i − (m_i/M) Σ_j Z_j",
        "Acoustic sum rule by mass: the same as removing the velocity of the center of mass in every frame.",
    ),
    "equal": Formula(
        r"Z^*_i \to Z^*_i - \dfrac{1}{N}\left(\sum_j\, Z^*_j - Q\right)",
        "Z_i − (Σ_j Z_j − Q)/N",
        "Acoustic sum rule by equal shares.",
    ),
}
_CONDUCTIVITY = Formula(
    r"\sigma_{ab}(\omega) = \dfrac{1}{V\, k_\mathrm{B} T}\, \int_0^\infty\,"
    r" \langle J_a(t)\, J_b(0) \rangle\, e^{i\omega t}\, dt",
    "σ_ab(ω) = 1/(V k_B T) ∫₀^∞ ⟨J_a(t) J_b(0)⟩ exp(iωt) dt",
    "Complex conductivity, time dependence exp(−iωt).",
)
_ABSORPTION = Formula(
    r"n\alpha = \dfrac{\mathrm{Re}\,\sigma}{\varepsilon_0 c}, \quad"
    r" \varepsilon_2 = \dfrac{\mathrm{Re}\,\sigma}{\varepsilon_0 \omega}",
    "nα = Re σ/(ε₀c), ε₂ = Re σ/(ε₀ω)",
    "Absorption times refractive index, and absorptive part of ε: neither needs ε_∞.",
)
_DIELECTRIC = Formula(
    r"\varepsilon(\omega) = \varepsilon_\infty + \dfrac{i\,\sigma(\omega)}{\varepsilon_0 \omega}",
    "ε(ω) = ε_∞ + iσ/(ε₀ω)",
    "Dielectric function; both parts from one one-sided transform, so they obey Kramers–Kronig.",
)
_DIELECTRIC_DC = Formula(
    r"\varepsilon(\omega) = \varepsilon_\infty + \dfrac{i\,[\sigma(\omega) - \sigma_\mathrm{dc}]}"
    r"{\varepsilon_0 \omega}",
    "ε(ω) = ε_∞ + i(σ − σ_dc)/(ε₀ω)",
    "Dielectric function of an ionic conductor, without its DC part.",
)
_PARTIAL = Formula(
    r"\varepsilon_2 = \sum_s\, \varepsilon_2^{(s)}, \quad"
    r" \varepsilon_2^{(s)} \propto \mathrm{Re}\, S_{J^{(s)} J}(\omega)",
    "ε₂ = Σ_s ε₂^(s), the cross-spectrum of the current of group s with the total",
    "Exactly additive decomposition; a part is negative where a group moves against the total current.",
)
_F_SUM = Formula(
    r"\int_0^\infty\, \omega\, \varepsilon_{2,aa}\, d\omega = \dfrac{\pi}{2 \varepsilon_0 V}"
    r"\, \sum_i\, \dfrac{\langle (Z^*_i Z^{*T}_i)_{aa} \rangle}{m_i}",
    "∫ω ε₂ dω = π/(2ε₀V) Σ⟨ZZᵀ⟩/m",
    "The f-sum rule, exact for classical dynamics at any temperature: the check of all units and prefactors.",
)
_STATIC = Formula(
    r"\varepsilon_\mathrm{s} = \varepsilon_\infty + \dfrac{\langle \delta M_a \delta M_b \rangle}"
    r"{\varepsilon_0\, V\, k_\mathrm{B} T}",
    "ε_s = ε_∞ + ⟨δM_a δM_b⟩/(ε₀ V k_B T)",
    "Static permittivity from the fluctuations of the dipole moment, conducting boundary conditions.",
)
_ERROR = Formula(
    r"\delta(n\alpha)\,/\,n\alpha = 1 / \sqrt{n_\mathrm{c}\, n_\mathrm{r}\, T\, B}",
    "δ(nα)/nα = 1/√(n_c n_r T B)",
    "Standard error from the number of equivalent axes and replicas, the length and the noise bandwidth B; "
    "bands are χ² intervals.",
)
_QUANTUM = {
    "none": Formula(r"\times\,(1 - e^{-x})/x", "(1 − e^−x)/x", "No quantum correction; x = ħω/(k_B T)."),
    "standard": Formula(
        r"\times\,(2/x)\,\tanh(x/2)", "(2/x) tanh(x/2)", "Standard quantum correction; x = ħω/(k_B T)."
    ),
    "schofield": Formula(
        r"\times\,(2/x)\,\sinh(x/2)", "(2/x) sinh(x/2)", "Schofield's quantum correction; x = ħω/(k_B T)."
    ),
}
_SCHEMES = {
    "midpoint": Formula(
        r"J(t + \Delta/2) = \dfrac{1}{2\Delta} \sum_i [Z^*_i(t) + Z^*_i(t + \Delta)]\, u_i, \quad"
        r" S_J \to S_J \,/\, \left[\dfrac{\sin(\omega\Delta/2)}{\omega\Delta/2}\right]^2",
        "J(t + Δ/2) = ½ Σ [Z(t) + Z(t + Δ)] u/Δ; S_J divided by [sin(ωΔ/2)/(ωΔ/2)]²",
        "Velocities from differences of positions; their damping is divided out.",
    ),
    "central": Formula(
        r"S_J \to S_J \,/\, \left[\dfrac{\sin(\omega\Delta)}{\omega\Delta}\right]^2",
        "S_J divided by [sin(ωΔ)/(ωΔ)]²",
        "Velocities from central differences of positions; their damping is divided out.",
    ),
}


def formulas_used(spectrum: Spectrum) -> list[Formula]:
    """Return the formulas that led to this spectrum, in the order of the computation."""
    p = spectrum.parameters
    found = [_CURRENT]
    if str(p.get("sum_rule")) in _SUM_RULES:
        found.append(_SUM_RULES[str(p["sum_rule"])])
    if p.get("transfer_function_divided_out") and str(p.get("velocity_scheme")) in _SCHEMES:
        found.append(_SCHEMES[str(p["velocity_scheme"])])
    found += [_CONDUCTIVITY, _ABSORPTION]
    if str(p.get("quantum")) in _QUANTUM:
        found.append(_QUANTUM[str(p["quantum"])])
    if spectrum.eps_inf is not None:
        found.append(_DIELECTRIC_DC if p.get("subtract_dc") else _DIELECTRIC)
    if len(spectrum.partial_n_alpha) > 1:
        found.append(_PARTIAL)
    found += [_F_SUM, _ERROR]
    if spectrum.static:
        found.append(_STATIC)
    return found
