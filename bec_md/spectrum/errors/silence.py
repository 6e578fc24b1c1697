"""A current that is zero has no spectrum: say why it is zero."""

from __future__ import annotations

import numpy as np

from bec_md.errors import DataError, UsageError
from bec_md.spectrum.estimators.blocks import CurrentBlocks
from bec_md.spectrum.estimators.survey import Survey
from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K

#: ⟨J²⟩ over k_B T Σ ZZᵀ/m below which J is rounding: its square is near 10⁻³² for doubles.
ROUNDING = 1e-20
#: Σ ZZᵀ/m in the barycentric frame over that of the bare charges, below which all are charged alike: these
#: sums are stored in single precision.
ALIKE = 1e-6


def refuse_silence(blocks: CurrentBlocks, seen: Survey, temperature_k: float) -> None:
    r"""Refuse a current that is zero up to rounding.

    In equilibrium :math:`⟨J^2⟩ = k_B T\, Σ ZZ^T/m`, the tensors being those that act after the sum rule.

    Raises
    ------
    UsageError
        If the charges make it zero: all are zero, or all atoms are charged alike per mass.
    DataError
        If charges differ and the current is zero all the same.
    """
    square = float(seen.current_square.sum(axis=-1).max())
    known = [
        (s.averages.zz_over_mass, s.zz_sum(rule))
        for s, rule in zip(blocks.series, blocks.sum_rules, strict=True)
    ]
    bare = max((float(np.trace(raw.sum(axis=0))) for raw, _ in known if raw is not None), default=0.0)
    acting = max((float(np.trace(exact[0])) for _, exact in known if exact is not None), default=0.0)
    kt = BOLTZMANN_EV_K * temperature_k / AMU_ANG2_FS2_EV  # amu Å²/fs²
    if square > ROUNDING * kt * bare:
        return
    frames = int(sum(blocks.lengths))
    told = all(exact is not None for _, exact in known)
    if told and acting <= ALIKE * bare:
        raise UsageError(
            f"the current is zero in all {frames} frames",
            "the charges of all atoms are zero"
            if bare == 0.0
            else "all atoms carry the same charge for their mass: none moves against another",
            "nothing couples to infrared light then; give other `charges`, or a model of these elements",
        )
    raise DataError(
        f"the current is zero in all {frames} frames",
        "charges that differ make a current when they move: its rows were lost, or no atom moves",
        "compute the current anew from the trajectory; `bec-md info` tells whether its atoms move",
    )
