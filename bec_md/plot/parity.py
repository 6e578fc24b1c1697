"""Predicted against reference tensors, component by component."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.plot.palette import GREY, INK, stroke
from bec_md.plot.style import Width, figure_style, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bec_md.evaluation import Evaluation


#: More points than this per element are drawn as pixels, so that a vector file stays small.
RASTER_ABOVE = 2000

Part = Literal["all", "diagonal", "antisymmetric"]

_NAMES: dict[Part, str] = {
    "all": r"$Z^*_{ab}$",
    "diagonal": r"$Z^*_{aa}$",
    "antisymmetric": r"$(Z^*_{ab}-Z^*_{ba})/2$",
}

_MARKERS = ("o", "s", "^", "D", "v", "P")


def plot_parity(
    source: Evaluation | ArrayLike,
    predicted: ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    numbers: ArrayLike | None = None,
    part: Part = "all",
    max_elements: int = 6,
    width: Width = "column",
) -> Axes:
    """Plot the components of predicted Born effective charges against the reference.

    Parameters
    ----------
    source
        Result of `bec-md evaluate`, or reference tensors (N, 3, 3) in e.
    predicted
        (N, 3, 3) predicted tensors if `source` are tensors.
    ax
        Where to draw; a new figure if None.
    numbers
        (N,) atomic numbers: one color per element. Taken from an evaluation.
    part
        All nine components, the three on the diagonal, or the three of the antisymmetric part (Z − Zᵀ)/2.
    max_elements
        The most frequent ones get a color of their own, the others share one.
    width
        Of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With the curves; its ``figure`` can be saved.

    Raises
    ------
    UsageError
        If labels and predictions do not match, or there is no such part.
    """
    if part not in _NAMES:
        raise UsageError(
            f"no part {part!r} of a tensor", "it is split into these", f"use {', '.join(_NAMES)}"
        )
    labels, guess, species = _arrays(source, predicted, numbers)
    labels, guess = _components(labels, part), _components(guess, part)
    error = guess - labels
    rmse = float(np.sqrt(np.mean(error**2)))
    spread = float(np.sum((labels - labels.mean(axis=0)) ** 2))
    low = float(min(labels.min(), guess.min()))
    high = float(max(labels.max(), guess.max()))
    margin = 0.05 * ((high - low) or 1.0)
    with figure_style(ax):
        axes = new_axes(ax, width, aspect=0.96)
        axes.axline((0.0, 0.0), slope=1.0, color=INK, linewidth=0.6, zorder=1.0)
        for index, (name, mine) in enumerate(_by_element(species, max_elements)):
            axes.plot(
                labels[mine].ravel(),
                guess[mine].ravel(),
                linestyle="none",
                marker=_MARKERS[index % len(_MARKERS)],
                markersize=2.2,
                markeredgewidth=0.0,
                alpha=0.5,
                color=GREY if name.endswith(" others") else stroke(index).color,
                zorder=1.5 if name.endswith(" others") else 2.0,
                label=name,
                rasterized=labels[mine].size > RASTER_ABOVE,
            )
        axes.set_xlim(low - margin, high + margin)
        axes.set_ylim(low - margin, high + margin)
        axes.set_aspect("equal", adjustable="box")
        axes.set_xlabel(f"Reference {_NAMES[part]} ($e$)")
        axes.set_ylabel(f"Predicted {_NAMES[part]} ($e$)")
        text = f"RMSE {rmse:.3g} $e$\nMAE {float(np.abs(error).mean()):.3g} $e$"
        if spread > 0.0:
            text += f"\n$R^2$ {1.0 - float(np.sum(error**2)) / spread:.4f}"
        axes.text(0.96, 0.04, text, transform=axes.transAxes, ha="right", va="bottom", fontsize=7.5)
        if len(axes.get_legend_handles_labels()[1]) > 1:
            legend = axes.legend(loc="upper left", markerscale=2.0, handlelength=1.0)
            for handle in legend.legend_handles:
                if handle is not None:
                    handle.set_alpha(1.0)
    return axes


def _components(tensors: Array, part: Part) -> Array:
    """Components of (N, 3, 3) that belong to the part, (N, n)."""
    if part == "diagonal":
        return np.diagonal(tensors, axis1=1, axis2=2)
    if part == "antisymmetric":
        rows, columns = np.triu_indices(3, 1)
        return (tensors[:, rows, columns] - tensors[:, columns, rows]) / 2
    return tensors.reshape(len(tensors), 9)


def _arrays(
    source: Evaluation | ArrayLike, predicted: ArrayLike | None, numbers: ArrayLike | None
) -> tuple[Array, Array, NDArray[np.int64]]:
    if hasattr(source, "labels"):
        item = cast(Any, source)
        labels, guess = np.asarray(item.labels), np.asarray(item.predicted)
        numbers = item.numbers if numbers is None else numbers
    else:
        labels = np.asarray(source, dtype=np.float64)
        guess = np.asarray([] if predicted is None else predicted, dtype=np.float64)
    if labels.shape != guess.shape or labels.shape[1:] != (3, 3):
        raise UsageError(
            f"labels of shape {labels.shape} and predictions of shape {guess.shape}",
            "a parity plot compares tensors one by one",
            "pass two arrays (N, 3, 3), or an evaluation",
        )
    species = np.zeros(len(labels)) if numbers is None else numbers
    return labels, guess, np.asarray(species, dtype=np.int64)


def _by_element(numbers: NDArray[np.int64], max_elements: int) -> list[tuple[str, NDArray[np.bool_]]]:
    """Masks of the most frequent elements, then of all others, by name."""
    from ase.data import chemical_symbols

    found, counts = np.unique(numbers, return_counts=True)
    order = found[np.argsort(-counts, kind="stable")]
    keep = order if len(order) <= max_elements else order[: max_elements - 1]
    masks = [("all" if z == 0 else chemical_symbols[z], numbers == z) for z in keep.tolist()]
    rest = ~np.isin(numbers, keep)
    return masks if not rest.any() else [*masks, (f"{len(order) - len(keep)} others", rest)]
