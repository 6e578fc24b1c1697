r"""The least time that the network's arithmetic needs on a machine with given ceilings.

For every part of the evaluation

    t = max(flop / GEMM rate, bytes in cache / cache rate + bytes in memory / memory rate),

summed over the parts. What is counted is the sparse, splined arithmetic of a perfectly fused program:
splines instead of radial perceptrons, only Clebsch–Gordan coefficients that are not zero, successive linear
maps multiplied out beforehand, irreps that cannot reach the result left out. Not counted are intermediate
results and the tables of splines (they could stay in registers and in the first-level cache), exponentials,
padding, and pairs of atoms beyond the cutoff that a neighbor search has to look at.

Reference: Williams, Waterman and Patterson 2009 (roofline).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.evaluation.ceilings import Ceilings

if TYPE_CHECKING:
    from e3nn import o3

    from bec_md.network.config import NetworkConfig

#: Parts of an evaluation, as the native evaluator times them.
PARTS = ("neighbors", "gather", "products", "mixing", "readout")

_FLOAT = 4  # bytes


@dataclass(frozen=True, slots=True)
class Work:
    """What a part does for one atom."""

    flop: float = 0.0
    cache_bytes: float = 0.0  # messages of neighbors, which fit the caches
    memory_bytes: float = 0.0  # edges and states, which do not

    def __add__(self, other: Work) -> Work:
        return Work(
            self.flop + other.flop,
            self.cache_bytes + other.cache_bytes,
            self.memory_bytes + other.memory_bytes,
        )

    def least_us(self, ceilings: Ceilings) -> float:
        """Time at the ceilings, µs."""
        moving = self.cache_bytes / ceilings.cache_bytes_s + self.memory_bytes / ceilings.memory_bytes_s
        return 1e6 * max(self.flop / ceilings.gemm_flop_s, moving)


def work_per_atom(config: NetworkConfig, neighbors: float) -> dict[str, Work]:
    """Count the work of each of `PARTS` for an atom with so many neighbors."""
    total = {
        "neighbors": Work(flop=9 * neighbors, memory_bytes=16 * neighbors),  # r_j − r_i + shift, r², i, j
        "readout": Work(flop=2.0 * config.channels * (9 * config.charges_from.members + 6) + 2 * 81),
    }
    for index in range(config.layers):
        counts = _Layer(config, first=index == 0, last=index + 1 == config.layers)
        for part, work in counts.work(neighbors).items():
            total[part] = total.get(part, Work()) + work
    return {part: total[part] for part in PARTS}


class _Layer:
    """Counts of one layer; see `bec_md.network.model.Layer`."""

    def __init__(self, config: NetworkConfig, *, first: bool, last: bool) -> None:
        from bec_md.network.products import STATE_IRREPS, natural_irreps

        self.config, self.first, self.last = config, first, last
        self.state = STATE_IRREPS
        self.inputs: dict[o3.Irrep, int] = dict.fromkeys(natural_irreps(config.l_max), config.channels)
        if not first:
            for ir in STATE_IRREPS:
                sent = config.sent_tensor_channels if ir.l > 0 else 0
                self.inputs[ir] = self.inputs.get(ir, 0) + config.channels + sent

    def work(self, neighbors: float) -> dict[str, Work]:
        """Arithmetic and bytes of the layer for an atom with so many neighbors."""
        width = self.config.channels
        return {
            "gather": self.gather(neighbors),
            "products": Work(flop=3.0 * width * self.coupling_entries()),
            "mixing": Work(flop=self.mixing_flop(), memory_bytes=2.0 * _FLOAT * 12 * width),
        }

    def gather(self, neighbors: float) -> Work:
        """Splines (Horner: 3 multiplications, 3 additions), products with Y_lm, sums over neighbors."""
        width, sent = self.config.channels, 0 if self.first else self.config.sent_tensor_channels
        degrees = self.config.l_max + 1
        outputs = degrees * width + 3 * sent
        message = 0 if self.first else width + 11 * sent  # floats that a neighbor sends
        flop = 6.0 * outputs + 2.0 * degrees**2 * width + 2.0 * 11 * sent
        flop += 0.0 if self.first else degrees * width
        return Work(
            flop=neighbors * flop,
            cache_bytes=neighbors * _FLOAT * message,
            memory_bytes=16.0 * neighbors,
        )

    def coupling_entries(self) -> int:
        """Coefficients of both products that are not zero."""
        order = sorted(self.inputs, key=lambda ir: (ir.l, ir.p))
        square = sum(_nonzero(a, b, c) for a in order for b in order for c in a * b if c in self.state)
        cube = sum(_nonzero(a, b, c) for a in self.state for b in order for c in a * b if self.is_kept(c))
        return square + cube

    def is_kept(self, irrep: o3.Irrep) -> bool:
        """Whether an irrep of the new state reaches the result: the last vectors do not."""
        return irrep in self.state and not (self.last and irrep.l == 1 and irrep.p == -1)

    def mixing_flop(self) -> float:
        """Multiplications and additions of all channel mixings."""
        width = self.config.channels
        flop = 0.0
        for ir, inputs in self.inputs.items():
            maps = 3 + (1 if self.is_kept(ir) else 0)  # left, middle, right, direct
            flop += 2.0 * ir.dim * inputs * width * maps
        order = list(self.inputs)
        for c in self.state:
            square = sum(c in a * b for a in order for b in order)
            flop += 2.0 * c.dim * width * width * square
            if self.is_kept(c):
                cube = sum(c in a * b for a in self.state for b in order)
                flop += 2.0 * c.dim * width * width * (cube + 1)
        hidden = self.config.scalar_width
        flop += 2.0 * hidden * (width + len(self.state) * width)  # gate
        if not self.last:
            flop += 2.0 * width * (width + 11 * self.config.sent_tensor_channels)  # messages
        return flop


def _nonzero(a: o3.Irrep, b: o3.Irrep, c: o3.Irrep) -> int:
    from e3nn import o3

    return int((o3.wigner_3j(a.l, b.l, c.l).abs() > 1e-6).sum())


def least_us(work: Mapping[str, Work], ceilings: Ceilings) -> dict[str, float]:
    """Time of each part at the ceilings, µs per atom."""
    return {part: item.least_us(ceilings) for part, item in work.items()}


def total_flop(work: Mapping[str, Work]) -> float:
    """Floating-point operations per atom."""
    return math.fsum(item.flop for item in work.values())
