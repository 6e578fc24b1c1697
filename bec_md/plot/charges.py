"""How Born effective charges spread over a run, species by species."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bec_md.errors import UsageError
from bec_md.plot.palette import INK, stroke
from bec_md.plot.style import Width, figure_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
Part = Literal["isotropic", "diagonal", "off-diagonal", "antisymmetric"]

_LABELS = {
    "isotropic": r"$\mathrm{tr}\,Z^*/3$ ($e$)",
    "diagonal": r"$Z^*_{aa}$ ($e$)",
    "off-diagonal": r"$Z^*_{ab}$, $a \neq b$ ($e$)",
    "antisymmetric": r"$(Z^*_{ab} - Z^*_{ba})/2$ ($e$)",
}


def plot_charges(
    born_effective_charges: ArrayLike,
    numbers: ArrayLike,
    ax: Axes | None = None,
    *,
    part: Part = "isotropic",
    static: Mapping[str, float] | ArrayLike | None = None,
    bins: int = 80,
    width: Width = "column",
) -> Axes:
    """Plot the distribution of a part of the tensors over atoms and frames, one per species.

    Parameters
    ----------
    born_effective_charges
        (F, N, 3, 3) or (N, 3, 3) tensors of one or more frames, e.
    numbers
        (N,) atomic numbers.
    ax
        Where to draw; a new figure if None.
    part
        "isotropic" (trace/3), "diagonal", "off-diagonal" or "antisymmetric" elements.
    static
        Charges that do not move, marked by dashed lines: symbol → e, or tensors (N, 3, 3), of which the
        mean of each species is marked (its parts of the same kind).
    bins
        Number of bins over the range of all species.
    width
        Of a new figure.

    Raises
    ------
    UsageError
        If the arrays do not fit, or for another part.
    """
    from ase.data import chemical_symbols

    tensors = np.asarray(born_effective_charges, dtype=np.float64)
    kinds = np.asarray(numbers, dtype=np.int64)
    if tensors.ndim == 3:
        tensors = tensors[None]
    if tensors.ndim != 4 or tensors.shape[1:] != (len(kinds), 3, 3):
        raise UsageError(
            f"charges of shape {np.shape(born_effective_charges)} for {len(kinds)} atoms",
            "every atom has a 3×3 tensor in every frame",
            "pass (F, N, 3, 3) and N atomic numbers",
        )
    species = list(dict.fromkeys(kinds.tolist()))
    values = {z: _part(tensors[:, kinds == z], part).ravel() for z in species}
    everything = np.concatenate(list(values.values()))
    edges = np.histogram_bin_edges(everything, bins=bins)
    with figure_style():
        axes = new_axes(ax, width)
        for index, z in enumerate(species):
            density, _ = np.histogram(values[z], edges, density=True)
            look = stroke(index)
            axes.stairs(density, edges, fill=True, color=look.color, alpha=0.25)
            axes.stairs(density, edges, color=look.color, linewidth=1.0, label=chemical_symbols[z])
        for position in _static_positions(static, kinds, species, part):
            axes.axvline(
                position, color=INK, linestyle=(0, (4, 1.4)), linewidth=0.8, label="static", zorder=3.0
            )
        axes.set_xlabel(_LABELS[part])
        axes.set_ylabel("Probability density ($e^{-1}$)")
        axes.set_ylim(bottom=0.0)
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        axes.legend(list(handles.values()), list(handles), loc="best")
    return axes


def _part(tensors: NDArray[Any], part: Part) -> Array:
    """Elements of this kind of tensors (…, 3, 3)."""
    if part == "isotropic":
        return np.asarray(np.trace(tensors, axis1=-2, axis2=-1) / 3.0)
    if part == "diagonal":
        return np.asarray(np.diagonal(tensors, axis1=-2, axis2=-1))
    if part == "off-diagonal":
        return np.asarray(tensors[..., ~np.eye(3, dtype=bool)])
    if part == "antisymmetric":
        odd = 0.5 * (tensors - np.swapaxes(tensors, -1, -2))
        return np.asarray(odd[..., *np.triu_indices(3, 1)])
    raise UsageError(f"part {part!r}", "not a part of a tensor", f"use one of {', '.join(_LABELS)}")


def _static_positions(
    static: Mapping[str, float] | ArrayLike | None, kinds: NDArray[np.int64], species: list[int], part: Part
) -> list[float]:
    """Where to mark charges that do not move."""
    from ase.data import chemical_symbols

    if static is None:
        return []
    if isinstance(static, Mapping):
        if part not in ("isotropic", "diagonal"):
            return [0.0]  # a scalar charge has no other parts
        return [float(static[chemical_symbols[z]]) for z in species if chemical_symbols[z] in static]
    tensors = np.asarray(static, dtype=np.float64)
    means = [tensors[kinds == z].mean(axis=0) for z in species]
    return [float(v) for mean in means for v in np.unique(np.round(np.atleast_1d(_part(mean, part)), 6))]
