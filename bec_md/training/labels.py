"""Checks of reference tensors before anything is learned from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bec_md.evaluation.metrics import residual_per_root, sum_rule_excess
from bec_md.structure import Frame
from bec_md.structure.names import CHARGES


@dataclass(frozen=True, slots=True)
class LabelReport:
    """What the checks found in one file."""

    n_frames: int
    n_kept: int
    dropped: tuple[str, ...]  # one sentence per dropped frame
    ignored_eps_inf: int
    residual_e: float  # median over frames of max|ΣZ − Q|/√N

    def summary(self) -> str:
        """One line for the log."""
        text = (
            f"{self.n_kept} of {self.n_frames} frames, sum-rule residual {self.residual_e:.2g} e/√N (median)"
        )
        if self.dropped:
            text += f"; dropped {len(self.dropped)}, first: {self.dropped[0]}"
        if self.ignored_eps_inf:
            text += f"; {self.ignored_eps_inf} ε_∞ labels ignored"
        return text


def check_labels(
    frames: Sequence[Frame],
    *,
    max_sum_rule_e: float,
    max_charge_e: float,
    max_eps_inf: float,
    remove_residual: bool = True,
) -> tuple[list[Frame], LabelReport]:
    """Drop frames with impossible tensors and, on request, impose the sum rule on the rest.

    Parameters
    ----------
    frames
        Labelled structures.
    max_sum_rule_e
        Largest allowed max|Σ_i Z_i − Q·1|/√N, e.
    max_charge_e
        Largest allowed |Z_i,ab|, e.
    max_eps_inf
        ε_∞ labels with a larger component, with an eigenvalue below 1, or of a molecule without a cell are
        ignored.
    remove_residual
        Subtract (Σ_i Z_i − Q·1)/N from every tensor of a frame.
    """
    kept: list[Frame] = []
    dropped: list[str] = []
    residuals: list[float] = []
    ignored = 0
    for frame in frames:
        charges = frame.labels[CHARGES]
        residual = residual_per_root(charges, frame.total_charge)
        residuals.append(residual)
        largest = float(np.abs(charges).max())
        if residual > max_sum_rule_e:
            dropped.append(f"frame {frame.index} ({frame.formula}): |ΣZ − Q|/√N = {residual:.2f} e")
            continue
        if largest > max_charge_e:
            dropped.append(f"frame {frame.index} ({frame.formula}): |Z| up to {largest:.1f} e")
            continue
        eps = frame.eps_inf
        if eps is not None and not (
            frame.volume_ang3 > 0.0
            and np.abs(eps).max() <= max_eps_inf
            and np.linalg.eigvalsh((eps + eps.T) / 2).min() >= 1.0
        ):
            eps, ignored = None, ignored + 1
        if remove_residual:
            charges = charges - sum_rule_excess(charges, frame.total_charge) / frame.n_atoms
        kept.append(frame.with_labels(born_effective_charges=charges, eps_inf=eps))
    report = LabelReport(len(frames), len(kept), tuple(dropped), ignored, float(np.median(residuals)))
    return kept, report
