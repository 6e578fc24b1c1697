"""What to cite for a spectrum or a model: the method, the estimators in use, the data of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bec_md.report.citation import Citation
from bec_md.report.data_sources import of_training_files

if TYPE_CHECKING:
    from bec_md.spectrum.spectrum import Spectrum

_CHARGES = Citation(
    "Gonze1997",
    ("Gonze, Xavier", "Lee, Changyol"),
    "Dynamical matrices, Born effective charges, dielectric permittivity tensors, and interatomic force "
    "constants from density-functional perturbation theory",
    "Phys. Rev. B",
    1997,
    "55",
    "10355",
    "10.1103/PhysRevB.55.10355",
    "Born effective charges and their sum rule",
)
_SPECTRA = Citation(
    "Pasquarello1997",
    ("Pasquarello, Alfredo", "Car, Roberto"),
    "Dynamical charge tensors and infrared spectrum of amorphous SiO2",
    "Phys. Rev. Lett.",
    1997,
    "79",
    "1766",
    "10.1103/PhysRevLett.79.1766",
    "infrared spectra from Born effective charges",
)
_KUBO = Citation(
    "Kubo1957",
    ("Kubo, Ryogo",),
    "Statistical-mechanical theory of irreversible processes. I. General theory and simple applications to "
    "magnetic and conduction problems",
    "J. Phys. Soc. Jpn.",
    1957,
    "12",
    "570",
    "10.1143/JPSJ.12.570",
    "conductivity from the autocorrelation of the current",
)
_NEUMANN = Citation(
    "Neumann1983",
    ("Neumann, Martin",),
    "Dipole moment fluctuation formulas in computer simulations of polar systems",
    "Mol. Phys.",
    1983,
    "50",
    "841",
    "10.1080/00268978300102721",
    "static permittivity from the fluctuations of the dipole moment",
)
_LAG_WINDOW = Citation(
    "Blackman1958",
    ("Blackman, R. B.", "Tukey, J. W."),
    "The measurement of power spectra from the point of view of communications engineering – Part I",
    "Bell Syst. Tech. J.",
    1958,
    "37",
    "185",
    "10.1002/j.1538-7305.1958.tb03874.x",
    "lag-window estimate of the spectrum and its error",
)
_WELCH = Citation(
    "Welch1967",
    ("Welch, Peter D.",),
    "The use of fast Fourier transform for the estimation of power spectra: A method based on time averaging "
    "over short, modified periodograms",
    "IEEE Trans. Audio Electroacoust.",
    1967,
    "15",
    "70",
    "10.1109/TAU.1967.1161901",
    "Welch's estimate of the spectrum",
)
_MULTITAPER = Citation(
    "Thomson1982",
    ("Thomson, David J.",),
    "Spectrum estimation and harmonic analysis",
    "Proc. IEEE",
    1982,
    "70",
    "1055",
    "10.1109/PROC.1982.12433",
    "multitaper estimate of the spectrum",
)
_QUANTUM = Citation(
    "Ramirez2004",
    ("Ramírez, Rafael", "López-Ciudad, Telesforo", "Kumar P, Padma", "Marx, Dominik"),
    "Quantum corrections to classical time-correlation functions: Hydrogen bonding and anharmonic floppy "
    "modes",
    "J. Chem. Phys.",
    2004,
    "121",
    "3973",
    "10.1063/1.1774986",
    "quantum corrections of classical spectra",
)
_SCHOFIELD = Citation(
    "Schofield1960",
    ("Schofield, P.",),
    "Space-time correlation function formalism for slow neutron scattering",
    "Phys. Rev. Lett.",
    1960,
    "4",
    "239",
    "10.1103/PhysRevLett.4.239",
    "Schofield's quantum correction",
)
_CEPSTRAL = Citation(
    "Ercole2017",
    ("Ercole, Loris", "Marcolongo, Aris", "Baroni, Stefano"),
    "Accurate thermal conductivities from optimally short molecular dynamics simulations",
    "Sci. Rep.",
    2017,
    "7",
    "15835",
    "10.1038/s41598-017-15843-2",
    "cepstral estimate of the DC conductivity",
)
_OXIDATION = Citation(
    "Grasselli2019",
    ("Grasselli, Federico", "Baroni, Stefano"),
    "Topological quantisation and gauge invariance of charge transport in liquid insulators",
    "Nat. Phys.",
    2019,
    "15",
    "967",
    "10.1038/s41567-019-0562-0",
    "DC conductivity from oxidation numbers",
)
_E3NN = Citation(
    "Geiger2022",
    ("Geiger, Mario", "Smidt, Tess"),
    "e3nn: Euclidean neural networks",
    "arXiv:2207.09453",
    2022,
    doi="10.48550/arXiv.2207.09453",
    reason="equivariant network of the model",
)

_ESTIMATORS = {"lag": _LAG_WINDOW, "welch": _WELCH, "multitaper": _MULTITAPER}
_QUANTUM_NAMES = {"standard": (_QUANTUM,), "schofield": (_QUANTUM, _SCHOFIELD)}


def software_citation() -> Citation:
    """Return how to cite this program."""
    from bec_md import __version__

    return Citation(
        "becmd",
        ("The bec-md developers",),
        f"bec-md {__version__}: infrared spectra and dielectric functions from molecular dynamics with Born "
        "effective charges",
        "",
        None,
        reason="this program",
    )


def citations(source: Spectrum | Any = None, model_card: Mapping[str, Any] | None = None) -> list[Citation]:
    """Return what to cite, most specific last, each once.

    Parameters
    ----------
    source
        A spectrum (cites what its parameters say was used), a model with a ``card``, or None for the method
        alone.
    model_card
        Card of the model behind a spectrum, when at hand.

    Returns
    -------
    list of Citation
    """
    found = [software_citation(), _CHARGES, _SPECTRA, _KUBO]
    parameters = getattr(source, "parameters", None)
    metadata: Mapping[str, Any] = {}
    if isinstance(parameters, Mapping):
        metadata = source.metadata
        found += _of_parameters(parameters, metadata)
        if source.static:
            found.append(_NEUMANN)
    card = getattr(source, "card", None) if model_card is None else model_card
    if card is not None or metadata.get("model"):
        found.append(_E3NN)
    if card is not None:
        found += of_card(card)
    return list(dict.fromkeys(found))


def _of_parameters(parameters: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[Citation]:
    found = []
    estimator = str(parameters.get("estimator", ""))
    if estimator in _ESTIMATORS:
        found.append(_ESTIMATORS[estimator])
    found += _QUANTUM_NAMES.get(str(parameters.get("quantum", "")), ())
    if parameters.get("subtract_dc") or _significant_dc(parameters):
        found.append(_CEPSTRAL)
    if str(metadata.get("charges", "")).startswith("oxidation"):
        found.append(_OXIDATION)
    return found


def _significant_dc(parameters: Mapping[str, Any]) -> bool:
    """Whether a DC conductivity is reported as a result: it exceeds five standard errors."""
    value, error = (parameters.get(f"sigma_dc{part}_s_per_m") for part in ("", "_err"))
    return value is not None and error is not None and float(value) > 5.0 * float(error)


def of_card(card: Mapping[str, Any]) -> list[Citation]:
    """Return what a model card states under ``citations``, and the works behind its public training files.

    A stated citation is a mapping of fields of `Citation`, or plain text.
    """
    stated = card.get("citations") or card.get("citation") or ()
    items = [stated] if isinstance(stated, str | Mapping) else list(stated)
    found = []
    for number, item in enumerate(items, start=1):
        if isinstance(item, Mapping):
            fields = {name: item[name] for name in Citation.__dataclass_fields__ if name in item}
            fields["authors"] = tuple(fields.get("authors", ()))
            defaults = {"key": f"data{number}", "title": "", "journal": "", "year": None}
            found.append(Citation(**{**defaults, "reason": "training data of the model", **fields}))
        else:
            found.append(
                Citation(f"data{number}", (), str(item), "", None, reason="training data of the model")
            )
    return found + of_training_files(card)
