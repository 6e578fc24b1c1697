"""What an infrared instrument measures: directions, oblique reflectance, slabs and powders, with errors.

A request is stored among the parameters of a spectrum; tables and files then carry its columns.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import BecMDWarning
from bec_md.spectrum.analysis.axes import principal_directions, principal_frame
from bec_md.spectrum.analysis.optics_request import OpticsRequest
from bec_md.spectrum.quantities import tabulated
from bec_md.spectrum.response import optics
from bec_md.spectrum.response.direction import Direction, to_direction
from bec_md.spectrum.response.scalar import Response

if TYPE_CHECKING:
    from bec_md.spectrum.spectrum import Spectrum

#: Elements of a direction's weight that axes found in a noisy spectrum may be off by.
_TURNED = 0.05


def request_of(spectrum: Spectrum) -> OpticsRequest:
    """Return what was asked for when the spectrum was made."""
    stored: Mapping[str, Any] = spectrum.parameters.get("optics") or {}
    return OpticsRequest(**{**stored, "directions": tuple(stored.get("directions", ()))})


def with_optics(spectrum: Spectrum, request: OpticsRequest) -> Spectrum:
    """Return the spectrum with a request among its parameters.

    Raises
    ------
    UsageError
        If the request makes no sense, or needs ε_∞ that the spectrum lacks.
    """
    request.check()
    if request.needs_eps_inf and spectrum.eps_inf is None:
        spectrum.along().epsilon("reflectance")
    if request.surface is not None and not _is_axis(spectrum, to_direction(request.surface).weight):
        warnings.warn(
            BecMDWarning(
                f"the crystal is not uniaxial about the surface normal {request.surface}: reflectances are "
                "those of the mean of ε in the surface, which no light sees; polarized along an axis q at "
                "normal incidence it sees ε along q (`directions`)"
            ),
            stacklevel=2,
        )
    return replace(spectrum, parameters={**spectrum.parameters, "optics": request.to_dict()})


def _is_axis(spectrum: Spectrum, normal: Array) -> bool:
    """Whether what is seen does not change when the crystal is turned about this direction."""
    plane = 0.5 * (np.eye(3) - normal)
    for one in principal_directions(spectrum):
        share = float(np.sum(normal * one.weight))
        if np.abs(one.weight - share * normal - (1.0 - share) * plane).max() > _TURNED:
            return False
    return True


def optics_columns(spectrum: Spectrum) -> dict[str, Array]:
    """Columns that the request of a spectrum adds to its table, each followed by its standard error."""
    request = request_of(spectrum)
    table: dict[str, Array] = {}
    for text in request.directions:
        direction = to_direction(text)
        seen = spectrum.along(direction)
        for quantity in tabulated(with_eps_inf=seen.eps_inf is not None):
            table[f"{quantity.column}[along {direction.label}]"] = seen.get(quantity)
            table[f"{quantity.column}_err[along {direction.label}]"] = seen.error(quantity)
    if request.angle_deg is not None or request.thickness_um is not None:
        table |= _surface_columns(spectrum, request)
    if request.powder:
        table |= _powder_columns(spectrum)
    return table


def optics_summary(spectrum: Spectrum) -> dict[str, Any] | None:
    """Return the request and the highest value of each of its columns (lowest transmittance), for JSON."""
    request = request_of(spectrum)
    if request.empty:
        return None
    table, nu = optics_columns(spectrum), spectrum.wavenumber_cm
    extremes = {}
    for name, values in table.items():
        if "_err" in name:
            continue
        kind = "min" if "transmittance" in name else "max"
        at = int(np.argmin(values) if kind == "min" else np.argmax(values))
        stem, bracket, rest = name.partition("[")
        error = table[f"{stem}_err{bracket}{rest}"]
        extremes[name] = {
            "kind": kind,
            "value": float(values[at]),
            "err": float(error[at]),
            "at_cm": float(nu[at]),
        }
    return {**request.to_dict(), "extremes": extremes}


def _surface_columns(spectrum: Spectrum, request: OpticsRequest) -> dict[str, Array]:
    nu = spectrum.wavenumber_cm
    responses = [spectrum.along()]
    if request.surface is not None:
        normal = to_direction(request.surface)
        plane = Direction("plane", 0.5 * (np.eye(3) - normal.weight))
        responses = [spectrum.along(plane), spectrum.along(normal)]
    angle = request.angle_deg or 0.0
    polarizations = ("s", "p") if request.polarization is None else (request.polarization,)
    if angle == 0.0 and request.polarization is None:
        polarizations = ("s",)  # both are the same
    table: dict[str, Array] = {}
    for p in polarizations:
        name = "" if angle == 0.0 else f"_{p}"

        def half_space(*eps: Array, p: str = p) -> Array:
            """Reflectance of a half space at this angle."""
            return optics.oblique_reflectance(eps[0], angle, p, eps[-1])

        if request.angle_deg is not None:
            table |= _with_error(f"reflectance{name}", half_space, responses)
        if request.thickness_um is not None:
            for number, what in enumerate(("reflectance", "transmittance")):

                def through(*eps: Array, p: str = p, number: int = number) -> Array:
                    """Reflectance or transmittance of a slab."""
                    return optics.slab(nu, eps[0], request.thickness_um or 0.0, angle, p, eps[-1])[number]

                table |= _with_error(f"slab_{what}{name}", through, responses)
    return table


def _powder_columns(spectrum: Spectrum) -> dict[str, Array]:
    """Means over the three axes; their noise is independent in the frame of the crystal."""
    nu = spectrum.wavenumber_cm
    axes = principal_frame(spectrum.sigma.real)
    tensor = np.asarray(axes.T @ np.asarray(spectrum.eps) @ axes)

    def with_diagonal(*eps: Array) -> Array:
        """The tensor with other diagonal elements."""
        changed = tensor.copy()
        for a, values in enumerate(eps):
            changed[:, a, a] = values
        return changed

    responses = [spectrum.along(axis.tolist()) for axis in axes.T]
    return {
        **_with_error(
            "powder_alpha_cm", lambda *e: optics.powder_absorption_cm(nu, with_diagonal(*e)), responses
        ),
        **_with_error(
            "powder_reflectivity", lambda *e: optics.powder_reflectivity(with_diagonal(*e)), responses
        ),
    }


def _with_error(name: str, function: Callable[..., Array], responses: list[Response]) -> dict[str, Array]:
    """Value and standard error of a real function of complex ε, the noise of several ε being independent."""
    eps = [response.epsilon(name) for response in responses]
    value = function(*eps)
    variance = np.zeros_like(value)
    for number, response in enumerate(responses):
        step = 1e-5 * np.abs(eps[number])
        slopes = []
        for turn in (1.0, 1j):
            up, down = list(eps), list(eps)
            up[number], down[number] = eps[number] + turn * step, eps[number] - turn * step
            slopes.append((function(*up) - function(*down)) / (2.0 * step))
        variance += response.error_of(np.asarray(slopes[0] - 1j * slopes[1])) ** 2
    return {name: value, f"{name}_err": np.sqrt(variance)}
