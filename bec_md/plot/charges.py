"""How Born effective charges spread over a run, species by species."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.plot.overlay import ROW, stick_handler
from bec_md.plot.palette import DASHES, INK, stroke
from bec_md.plot.style import Width, figure_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
    bins: int = 40,
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
        Charges that do not move: symbol → e, marked by dashed lines, or tensors (N, 3, 3), whose parts of
        the same kind are marked by a tick per atom in a row at the top, one row per species.
    bins
        Number of bins over the range of each species.
    width
        Of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With the curves; its ``figure`` can be saved.

    Raises
    ------
    UsageError
        If the arrays do not fit, or for another part.
    """
    from ase.data import chemical_symbols
    from matplotlib.collections import LineCollection

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
    highest = 0.0
    with figure_style(ax):
        axes = new_axes(ax, width)
        for index, z in enumerate(species):
            density, edges = np.histogram(values[z], bins, density=True)
            highest = max(highest, float(density.max()))
            look = stroke(index)
            axes.stairs(density, edges, fill=True, color=look.color, alpha=0.25)
            axes.stairs(
                density,
                edges,
                color=look.color,
                linewidth=1.0,
                linestyle=(0.0, DASHES[index % len(DASHES)]) if index else "-",
                label=chemical_symbols[z],
            )
        axes.set_xlabel(_LABELS[part])
        axes.set_ylabel("Probability density ($e^{-1}$)")
        axes.set_ylim(0.0, 1.05 * highest)
        taken = _mark_static(axes, static, kinds, species, part)
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        upright = {LineCollection: stick_handler()}
        area = (0.0, 0.0, 1.0, 1.0 - taken)
        axes.legend(
            list(handles.values()), list(handles), loc="best", bbox_to_anchor=area, handler_map=upright
        )
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


def _mark_static(
    ax: Axes,
    static: Mapping[str, float] | ArrayLike | None,
    kinds: NDArray[np.int64],
    species: list[int],
    part: Part,
) -> float:
    """Mark charges that do not move; return the part of the panel's height that rows of ticks take."""
    from ase.data import chemical_symbols

    if static is None:
        return 0.0
    if isinstance(static, Mapping):
        scalar = part in ("isotropic", "diagonal")  # a scalar charge has no other parts
        named = [float(static[chemical_symbols[z]]) for z in species if chemical_symbols[z] in static]
        for position in named if scalar else [0.0]:
            ax.axvline(
                position, color=INK, linestyle=(0, (4, 1.4)), linewidth=0.8, label="static", zorder=3.0
            )
        return 0.0
    tensors = np.asarray(static, dtype=np.float64)
    taken = ROW * (len(species) + 0.5)
    ax.set_ylim(0.0, ax.get_ylim()[1] / (1.0 - taken))
    for row, z in enumerate(species):
        ax.vlines(
            _part(tensors[kinds == z], part).ravel(),
            1.0 - ROW * (row + 0.95),
            1.0 - ROW * (row + 0.25),
            transform=ax.get_xaxis_transform(),
            color=stroke(row).color,
            linewidth=0.5,
            label="static, by atom" if row == 0 else "",
        )
    return taken
