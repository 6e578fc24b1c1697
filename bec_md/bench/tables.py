"""The result in tables, for the terminal, for documentation and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bec_md.bench import contestants as who
from bec_md.bench.measure import PYTHON, BenchResult, SystemResult
from bec_md.bench.roofline import PARTS, least_us, total_flop

METHOD = """
Times are processor time of the process, all threads together, in µs per atom: medians of interleaved rounds
(A B C A B C …) after one that is not counted. They cover the whole path from ASE atoms through neighbor list
and graph to what a spectrum needs of every frame, in float32: the tensors of direct models, the current of
models that predict a polarization.

native: the shipped network as spectrum and current run it, about {native_atoms} atoms in a call ("Z*": the
tensors of a polarization, as predict gives them).
torch: the same network by PyTorch and e3nn, about {torch_atoms} atoms in a call. edge-wise: a network of the
NequIP kind (3 layers, 32 channels, l ≤ 2, 5 Å, tensor products on edges by e3nn), about {torch_atoms} atoms
in a call. Memory that PyTorch frees is kept in the process (mallopt), which makes both faster.

roofline: the least time that the sparse, splined arithmetic of the network needs at the measured rates of one
thread: for every part the larger one of arithmetic at the rate of matrix products and of moving messages,
edges and states; derivatives of a polarization are not counted.

Processor time on a shared machine varies by tens of percent: compare ratios within one run.
"""


@dataclass(frozen=True)
class Table:
    """Cells as text; the first column is flush left."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(result: BenchResult) -> list[Table]:
    """Return all tables of a result."""
    first = result.settings.threads[0]
    found = [_whole(result, first), _threads(result)]
    if any(system.parts_us for system in result.systems):
        found.append(_parts(result))
    return [*found, _machine(result)]


def _whole(result: BenchResult, threads: int) -> Table:
    shipped = result.systems[0].shipped
    ratios = ("times faster", "roofline", "times roofline")

    def row(r: SystemResult) -> tuple[str, ...]:
        """Return one system as a line of the table."""
        own = r.cpu_us(r.shipped, threads)
        baseline = r.cpu_us(r.baseline, threads)
        return (
            r.system.label,
            f"{r.neighbors:.1f}",
            _us(own),
            f"{1e3 * own / r.neighbors:.0f}",
            _us(r.cpu_us(who.TORCH, threads)),
            _us(baseline),
            f"{baseline / own:.0f}",
            _us(r.roofline_us),
            f"{own / r.roofline_us:.2f}",
        )

    columns = ("structure", "neighbors", shipped, "ns per neighbor", "torch", "edge-wise", *ratios)
    title = f"Atoms → J or Z*, {_thread_text(threads)}, processor time in µs per atom"
    return Table(title, columns, tuple(row(system) for system in result.systems))


def _threads(result: BenchResult) -> Table:
    rows = []
    for r in result.systems:
        for (name, threads), timing in sorted(r.timings.items()):
            low, high = timing.spread_us
            spread = f"{_us(low)} … {_us(high)}"
            head = (r.system.label, name, str(threads), str(r.frames[name]))
            rows.append((*head, _us(timing.cpu_us), spread, _us(timing.wall_us)))
    columns = (
        "structure",
        "network",
        "threads",
        "frames per call",
        "processor time",
        "quartiles",
        "wall time",
    )
    return Table("Every measurement, µs per atom", columns, tuple(rows))


def _parts(result: BenchResult) -> Table:
    rows = []
    for r in result.systems:
        if not r.parts_us:
            continue
        least = least_us(r.work, r.ceilings)
        whole = sum(r.parts_us.values())
        for part in (*PARTS, PYTHON):
            us = r.parts_us[part]
            work = r.work.get(part)
            cells = (r.system.label, part, _us(us), f"{100 * us / whole:.0f} %")
            if work is None:
                rows.append((*cells, "", "", ""))
                continue
            rate = work.flop / us / 1e3 if us > 0 else 0.0
            rows.append((*cells, f"{work.flop / 1e3:.0f}", _us(least[part]), f"{rate:.0f}"))
    columns = ("structure", "part", "µs per atom", "share", "kflop per atom", "roofline", "Gflop/s")
    return Table("Parts of the native evaluation, one thread", columns, tuple(rows))


def _machine(result: BenchResult) -> Table:
    def median(pick: Callable[[SystemResult], float]) -> float:
        """Return the median over the systems."""
        return float(np.median([pick(r) for r in result.systems]))

    rows = (
        ("matrix products in float32, best", f"{median(lambda r: r.ceilings.gemm_flop_s) / 1e9:.0f} Gflop/s"),
        ("skinny ones, 32 channels", f"{median(lambda r: r.ceilings.skinny_flop_s) / 1e9:.0f} Gflop/s"),
        ("memory", f"{median(lambda r: r.ceilings.memory_bytes_s) / 1e9:.0f} GB/s"),
        ("cache (64 kB arrays)", f"{median(lambda r: r.ceilings.cache_bytes_s) / 1e9:.0f} GB/s"),
        ("instruction set of the native evaluator", result.instruction_set or "none"),
    )
    return Table("Ceilings of one thread", ("what", "rate"), rows)


def _us(value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _thread_text(threads: int) -> str:
    return "one thread" if threads == 1 else f"{threads} threads"


def method() -> str:
    """How the numbers were made, in words; one line for each paragraph."""
    text = METHOD.format(native_atoms=who.NATIVE_ATOMS, torch_atoms=who.TORCH_ATOMS)
    return "\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


def models_text(result: BenchResult) -> str:
    """Which model was measured on which structures."""
    used: dict[str, list[str]] = {}
    for r in result.systems:
        names = used.setdefault(r.model, [])
        if r.system.name not in names:
            names.append(r.system.name)
    return "; ".join(f"{model} for {' and '.join(names)}" for model, names in used.items())


def as_markdown(result: BenchResult) -> str:
    """All tables for a documentation page."""
    text = [f"Models: {models_text(result)}."]
    for table in tables(result):
        text += ["", f"**{table.title}**", "", _markdown_row(table.columns)]
        text.append("|" + "|".join(["---", *["---:"] * (len(table.columns) - 1)]) + "|")
        text += [_markdown_row(row) for row in table.rows]
    return "\n".join(text)


def _markdown_row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def as_dict(result: BenchResult) -> dict[str, Any]:
    """Everything for JSON; times in µs per atom, rates in flop/s and bytes/s."""
    return {
        "method": method(),
        "settings": asdict(result.settings),
        "instruction_set": result.instruction_set,
        "note": result.note,
        "systems": [_system_dict(r) for r in result.systems],
    }


def _system_dict(r: SystemResult) -> dict[str, Any]:
    least = least_us(r.work, r.ceilings)
    threads = min(t for _, t in r.timings)
    own = r.cpu_us(r.shipped, threads)
    return {
        "structure": r.system.name,
        "n_atoms": r.system.n_atoms,
        "model": r.model,
        "neighbors": r.neighbors,
        "measurements": [
            {
                "network": name,
                "threads": count,
                "frames_per_call": r.frames[name],
                "cpu_us_per_atom": timing.cpu_us,
                "cpu_us_quartiles": list(timing.spread_us),
                "wall_us_per_atom": timing.wall_us,
                "rounds": len(timing.cpu_s),
            }
            for (name, count), timing in sorted(r.timings.items())
        ],
        "ceilings": asdict(r.ceilings),
        "flop_per_atom": total_flop(r.work),
        "roofline_us": r.roofline_us,
        "measured_over_roofline": own / r.roofline_us,
        "edgewise_over_measured": r.cpu_us(r.baseline, threads) / own,
        "parts": [
            {
                "part": part,
                "us_per_atom": us,
                "flop_per_atom": r.work[part].flop if part in r.work else None,
                "roofline_us": least.get(part),
            }
            for part, us in r.parts_us.items()
        ],
    }
