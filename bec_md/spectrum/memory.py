r"""What a spectrum takes in memory, so that one that does not fit is refused before it is begun.

The run itself is read block by block. What grows is the grid of frequencies, and with it the correlation
function: both are as long as the lag window of the resolution, and no longer than the run. Measured (maximum
resident size against points of the grid): 1.8 kB a point for two groups, 3.6 kB for eight.
"""

from __future__ import annotations

from bec_md.memory import require_memory
from bec_md.spectrum.estimators import one_sided
from bec_md.spectrum.estimators.blocks import CurrentBlocks
from bec_md.spectrum.estimators.estimate import EstimateOptions, grid_resolution_cm
from bec_md.spectrum.estimators.lag_window import window_span_fs

#: Bytes a point of the grid: of the total, of each group, and of each member or pair of groups.
TOTAL_BYTES, GROUP_BYTES, PAIR_BYTES = 1500, 300, 60
#: What a spectrum takes whatever its grid, and how much more one takes that is estimated twice.
LEAST_BYTES, TWICE = 200e6, 1.5


def grid_points(blocks: CurrentBlocks, options: EstimateOptions) -> int:
    """Return how many frequencies the spectrum is computed on."""
    step, longest = blocks.timestep_fs, max(blocks.lengths)
    lag = min(int(window_span_fs(options.resolution_cm, options.window) / step), longest - 1)
    return one_sided.grid_size(lag, step, grid_resolution_cm(blocks, options)) // 2 + 1


def bytes_needed(blocks: CurrentBlocks, options: EstimateOptions, *, again: bool = False) -> float:
    """Return about what a spectrum takes at its height; `again` for one that is estimated twice."""
    groups = len(blocks.groups) if options.groups and len(blocks.groups) > 1 else 0
    pairs = blocks.n_members + (groups**2 if options.matrix else 0)
    point = TOTAL_BYTES + GROUP_BYTES * groups + PAIR_BYTES * pairs
    return LEAST_BYTES + (TWICE if again else 1.0) * point * grid_points(blocks, options)


def require_room(blocks: CurrentBlocks, options: EstimateOptions, *, again: bool = False) -> None:
    """Refuse a spectrum that does not fit into memory.

    Raises
    ------
    UsageError
        With what it needs and what there is.
    """
    require_memory(
        bytes_needed(blocks, options, again=again),
        f"a spectrum with a resolution of {options.resolution_cm:g} cm⁻¹",
        f"it has {grid_points(blocks, options)} frequencies for {len(blocks.groups)} group(s), and a "
        "correlation function as long",
        "ask for a coarser resolution, or fewer groups",
    )
