"""The result in tables, for the terminal, for documentation and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bec_md.bench import contestants as who
from bec_md.bench.measure import BenchResult, SystemResult

METHOD = """
Times are processor time of the process, all threads together, in µs per atom: medians of interleaved rounds
(A B C A B C …) after one that is not counted. They cover the whole path from ASE atoms through neighbor list
and graph to what a spectrum needs of every frame, in float32: the tensors of direct models, the current of
models that predict a polarization.

native: the network as spectrum and current run it, about {native_atoms} atoms in a call ("Z*": the tensors of
a polarization, as predict gives them). torch: the same network by PyTorch and e3nn, about {torch_atoms} atoms
in a call. Memory that PyTorch frees is kept in the process (mallopt), which makes it faster.

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
    return [_whole(result, result.settings.threads[0]), every_measurement(result.systems)]


def _whole(result: BenchResult, threads: int) -> Table:
    shipped = result.systems[0].shipped

    def row(r: SystemResult) -> tuple[str, ...]:
        """Return one system as a line of the table."""
        own, torch = r.cpu_us(r.shipped, threads), r.cpu_us(who.TORCH, threads)
        per_neighbor = f"{1e3 * own / r.neighbors:.0f}"
        return r.system.label, f"{r.neighbors:.1f}", us(own), per_neighbor, us(torch), f"{torch / own:.0f}"

    columns = ("structure", "neighbors", shipped, "ns per neighbor", "torch", "times faster")
    return Table(heading(threads), columns, tuple(row(system) for system in result.systems))


def heading(threads: int) -> str:
    """Return the title of the first table."""
    text = "one thread" if threads == 1 else f"{threads} threads"
    return f"Atoms → J or Z*, {text}, processor time in µs per atom"


def every_measurement(systems: Sequence[SystemResult]) -> Table:
    """Return the times of all networks with all numbers of threads."""
    rows = []
    for r in systems:
        for (name, threads), timing in sorted(r.timings.items()):
            low, high = timing.spread_us
            head = (r.system.label, name, str(threads), str(r.frames[name]))
            rows.append((*head, us(timing.cpu_us), f"{us(low)} … {us(high)}", us(timing.wall_us)))
    times = ("processor time", "quartiles", "wall time")
    columns = ("structure", "network", "threads", "frames per call", *times)
    return Table("Every measurement, µs per atom", columns, tuple(rows))


def us(value: float) -> str:
    """Return a time in µs with two or three figures."""
    if np.isnan(value):
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def method() -> str:
    """How the numbers were made, in words; one line for each paragraph."""
    text = METHOD.format(native_atoms=who.NATIVE_ATOMS, torch_atoms=who.TORCH_ATOMS)
    return "\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


def models_text(systems: Sequence[SystemResult]) -> str:
    """Which model was measured on which structures."""
    used: dict[str, list[str]] = {}
    for r in systems:
        names = used.setdefault(r.model, [])
        if r.system.name not in names:
            names.append(r.system.name)
    return "; ".join(f"{model} for {' and '.join(names)}" for model, names in used.items())


def as_markdown(systems: Sequence[SystemResult], shown: Sequence[Table]) -> str:
    """All tables for a documentation page."""
    text = [f"Models: {models_text(systems)}."]
    for table in shown:
        text += ["", f"**{table.title}**", "", _markdown_row(table.columns)]
        text.append("|" + "|".join(["---", *["---:"] * (len(table.columns) - 1)]) + "|")
        text += [_markdown_row(row) for row in table.rows]
    return "\n".join(text)


def _markdown_row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def as_dict(result: BenchResult) -> dict[str, Any]:
    """Everything for JSON; times in µs per atom."""
    return {
        "method": method(),
        "settings": asdict(result.settings),
        "instruction_set": result.instruction_set,
        "note": result.note,
        "systems": [_system_dict(r) for r in result.systems],
    }


def _system_dict(r: SystemResult) -> dict[str, Any]:
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
    }
