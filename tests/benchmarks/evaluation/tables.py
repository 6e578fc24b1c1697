"""The result in tables for the documentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bec_md.bench import contestants as who
from bec_md.bench.tables import Table, every_measurement, heading, us
from tests.benchmarks.evaluation.measure import PYTHON, Measured
from tests.benchmarks.evaluation.roofline import PARTS, least_us


def tables(systems: Sequence[Measured], threads: int, instruction_set: str) -> list[Table]:
    """Return all tables of a result."""
    found = [_whole(systems, threads), every_measurement(systems)]
    if any(system.parts_us for system in systems):
        found.append(_parts(systems))
    return [*found, _machine(systems, instruction_set)]


def _whole(systems: Sequence[Measured], threads: int) -> Table:
    ratios = ("times faster", "roofline", "times roofline")

    def row(r: Measured) -> tuple[str, ...]:
        """Return one system as a line of the table."""
        own, baseline = r.cpu_us(r.shipped, threads), r.cpu_us(r.baseline, threads)
        times = (us(own), f"{1e3 * own / r.neighbors:.0f}", us(r.cpu_us(who.TORCH, threads)), us(baseline))
        roofline = (us(r.roofline_us), f"{own / r.roofline_us:.2f}")
        return r.system.label, f"{r.neighbors:.1f}", *times, f"{baseline / own:.0f}", *roofline

    networks = (systems[0].shipped, "ns per neighbor", "torch", "edge-wise")
    columns = ("structure", "neighbors", *networks, *ratios)
    return Table(heading(threads), columns, tuple(row(system) for system in systems))


def _parts(systems: Sequence[Measured]) -> Table:
    rows = []
    for r in (r for r in systems if r.parts_us):
        least, whole = least_us(r.work, r.ceilings), sum(r.parts_us.values())
        for part in (*PARTS, PYTHON):
            time, work = r.parts_us[part], r.work.get(part)
            cells = (r.system.label, part, us(time), f"{100 * time / whole:.0f} %")
            if work is None:
                rows.append((*cells, "", "", ""))
                continue
            rate = work.flop / time / 1e3 if time > 0 else 0.0
            rows.append((*cells, f"{work.flop / 1e3:.0f}", us(least[part]), f"{rate:.0f}"))
    columns = ("structure", "part", "µs per atom", "share", "kflop per atom", "roofline", "Gflop/s")
    return Table("Parts of the native evaluation, one thread", columns, tuple(rows))


def _machine(systems: Sequence[Measured], instruction_set: str) -> Table:
    def median(pick: Callable[[Measured], float]) -> str:
        """Return the median over the systems in units of 10⁹."""
        return f"{float(np.median([pick(r) for r in systems])) / 1e9:.0f}"

    rows = (
        ("matrix products in float32, best", f"{median(lambda r: r.ceilings.gemm_flop_s)} Gflop/s"),
        ("skinny ones, 32 channels", f"{median(lambda r: r.ceilings.skinny_flop_s)} Gflop/s"),
        ("memory", f"{median(lambda r: r.ceilings.memory_bytes_s)} GB/s"),
        ("cache (64 kB arrays)", f"{median(lambda r: r.ceilings.cache_bytes_s)} GB/s"),
        ("instruction set of the native evaluator", instruction_set or "none"),
    )
    return Table("Ceilings of one thread", ("what", "rate"), rows)
