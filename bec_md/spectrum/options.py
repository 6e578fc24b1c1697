"""How a spectrum is made from currents: every choice once, with its meaning and its bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from bec_md.errors import UsageError
from bec_md.options import Options, refuse_not_positive

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

EstimatorName = Literal["lag", "welch", "multitaper"]
WindowName = Literal["gaussian", "parzen", "bartlett", "lorentzian"]
SumRuleName = Literal["mass", "equal", "none"]
ControlVariatesName = Literal["none", "f-sum", "modes", "molecules", "auto"]
QuantumName = Literal["harmonic", "none", "standard", "schofield"]

_CHOICES: dict[str, tuple[tuple[str, ...], str]] = {
    "estimator": (
        get_args(EstimatorName),
        "spectra are estimated by lag window, Welch segments or multitaper",
    ),
    "window": (get_args(WindowName), "only positive-definite lag windows keep the absorption non-negative"),
    "sum_rule": (get_args(SumRuleName), "ΣZ = Q is restored by mass, in equal shares, or not"),
    "quantum": (
        get_args(QuantumName),
        "the factor must be one of the published detailed-balance corrections",
    ),
    "control_variates": (get_args(ControlVariatesName), "these are the moments that are known exactly"),
}
_POSITIVE = {
    "temperature_k": "the prefactor is 1/(V k_B T)",
    "resolution_cm": "it is the full width at half maximum of the smoothing kernel",
    "max_cm": "the spectrum begins at zero",
    "md_timestep_fs": "it is the integration time step of the run",
    "thermostat_friction_per_ps": "a thermostat of no or negative friction broadens nothing",
}
_SWITCHES = ("groups", "group_matrix", "undo_damping", "dc", "subtract_dc")
#: Earlier names of `control_variates`.
_EARLIER: dict[str, ControlVariatesName] = {"off": "none", "axis": "f-sum"}
#: Highest temperature that is taken for one, K.
HOTTEST_K = 1e6


@dataclass(frozen=True)
class SpectrumOptions(Options):
    """Options of `compute_spectrum`.

    Parameters
    ----------
    temperature_k
        T in K. If None, the mean kinetic temperature of the stored velocities, or what the file states.
    eps_inf
        ε_∞ as 1, 3, 6 (Voigt xx yy zz yz xz xy) or 9 numbers, or "model" for the mean of what the network
        predicted along the run. Without it only nα, σ and ε₂ are defined.
    resolution_cm
        Full width at half maximum of the smoothing kernel, cm⁻¹. If None, the width that gives 10 %
        error per point, within 2 … 20 cm⁻¹ and no finer than 2/(cT).
    estimator
        "lag" (lag window), "welch" or "multitaper". With "lag" bands leak as 1/ω² into the dark, most of all
        towards ω = 0, which is in the errors; with tapers hardly.
    window
        Lag window: gaussian, parzen, bartlett or lorentzian.
    sum_rule
        "mass" (barycentric frame), "equal" shares, or "none".
    quantum
        "harmonic" (factor 1: already exact for harmonic systems), "none", "standard" or "schofield".
    max_cm
        Highest wavenumber written out; the Nyquist wavenumber by default (with "schofield" the valley behind
        the last band, where noise would rise above all).
    groups
        Also compute the additive partial spectra.
    group_matrix
        Also compute the group–group matrix.
    md_timestep_fs
        Integration time step of the run: undoes the Verlet frequency shift. None leaves it.
    undo_damping
        Divide by the transfer function of finite-difference velocities.
    dc
        Estimate the DC conductivity by cepstral analysis; by default only where the run shows one (see
        `estimators.conduction`). The spectrum of an insulator vanishes at ω = 0.
    subtract_dc
        Leave the DC conductivity out of ε (ionic conductors).
    control_variates
        "f-sum": the exact ⟨J²⟩ of each axis (f-sum rule) takes off the noise that goes with its excess, see
        `estimators.control_variates`; "modes": the energy of every mode does, the groups being the
        sublattices of a crystal, see `estimators.mode_basis`; "molecules": the energy of stretching, of
        bending and of molecules as a whole does, which the current has to keep (`motions`); "auto": modes or
        molecules where the current has been prepared for them, else none; "none" leaves the plain estimate.
        All have the same limit.
    thermostat_friction_per_ps
        Friction γ of a Langevin thermostat, 1/ps (LAMMPS: 1/damp), which broadens every band by γ: taken
        off the natural widths of the peaks, and recorded. The spectrum itself is not changed.
    constraints
        Number of rigid bonds and angles of one replica: removed from the degrees of freedom of the kinetic
        temperature, as axes are along which atoms are held; 0 takes what the motion of the first frames
        shows. The f-sum rule of free atoms does not hold with them.
    """

    of: ClassVar[str] = "a spectrum"

    temperature_k: float | None = None
    eps_inf: ArrayLike | None = None
    resolution_cm: float | None = None
    estimator: EstimatorName = "lag"
    window: WindowName = "gaussian"
    sum_rule: SumRuleName = "mass"
    quantum: QuantumName = "harmonic"
    max_cm: float | None = None
    groups: bool = True
    group_matrix: bool = False
    md_timestep_fs: float | None = None
    undo_damping: bool = True
    dc: bool | None = None
    subtract_dc: bool = False
    control_variates: ControlVariatesName = "auto"
    thermostat_friction_per_ps: float | None = None
    constraints: int = 0

    def __post_init__(self) -> None:
        name = _EARLIER.get(self.control_variates, self.control_variates)
        object.__setattr__(self, "control_variates", name)

    def check(self) -> None:
        """Refuse choices that do not exist and numbers that cannot be.

        Raises
        ------
        UsageError
            With the name of the option.
        """
        from bec_md.spectrum.electronic import check_eps_inf

        for name, (allowed, why) in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UsageError(
                    f"`{name}={getattr(self, name)}` is unknown", why, f"choose one of {', '.join(allowed)}"
                )
        refuse_not_positive(self, _POSITIVE)
        for name in _SWITCHES:
            if not hasattr(value := getattr(self, name), "__bool__"):  # a text, a list
                raise UsageError(
                    f"`{name}={value!r}` is neither True nor False",
                    "any text counts as True",
                    "give one of these",
                )
        if self.window != SpectrumOptions.window and self.estimator != "lag":
            raise UsageError(
                f"`window={self.window}` with `estimator={self.estimator}`",
                "only the estimator lag has a lag window",
                "leave it out, or use `estimator=lag`",
            )
        if self.temperature_k is not None and self.temperature_k > HOTTEST_K:
            raise UsageError(
                f"`temperature_k={self.temperature_k:g}` is above {HOTTEST_K:g} K",
                "nothing keeps its bonds there: the unit is another one",
                "give the temperature of the atoms in K",
            )
        if self.constraints < 0:
            raise UsageError(
                f"`constraints={self.constraints}` is negative",
                "it is a number of rigid bonds and angles",
                "give `constraints=0` without any",
            )
        check_eps_inf(self.eps_inf)
