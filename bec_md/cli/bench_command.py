"""``bec-md bench``: how fast the network is on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from bec_md.cli.console import Console
from bec_md.cli.options import with_options
from bec_md.cli.outputs import STDOUT, emit_json, guard
from bec_md.errors import UsageError

if TYPE_CHECKING:
    from bec_md.bench.measure import BenchResult

#: Read when numpy and torch are loaded: ceilings are of one thread, and waiting is no processor time.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}

BENCH_HELP = (
    "Measure the speed of the network on this machine, compiled and by PyTorch.\n\n"
    "Structures are made on the spot; one process measures everything in turn, so that ratios mean something "
    "on a machine that is not idle. Takes about eight minutes, with --quick one and a half."
)


@with_options()
def bench(
    model: Annotated[
        str, typer.Option("--model", metavar="NAME|FILE", help="Model; auto takes what spectrum would take.")
    ] = "auto",
    threads: Annotated[
        str, typer.Option("--threads", metavar="N,N", help="Numbers of threads to measure.")
    ] = "1,2",
    systems: Annotated[
        str, typer.Option("--systems", metavar="NAME,NAME", help="Structures: quartz, water.")
    ] = "quartz,water",
    quick: Annotated[bool, typer.Option("--quick", help="Small structures, few rounds.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the tables for a documentation page.")
    ] = False,
    json: str | None = None,
) -> None:
    """Benchmark the network."""
    guard({"--json": json})
    counts, names = parse_threads(threads), parse_systems(systems)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from bec_md.bench.measure import BenchSettings, run_benchmark
    from bec_md.bench.tables import as_dict, as_markdown, tables

    settings = BenchSettings(model, counts, names, quick, rounds=3 if quick else 7)
    console = Console(results_on_stdout=markdown or json == STDOUT)
    result = run_benchmark(settings, console.say)
    if markdown:
        print(as_markdown(result.systems, tables(result)), flush=True)
    elif json != STDOUT:
        show(console, result)
    if result.note:
        console.warn(result.note)
    if json is not None:
        emit_json(json, as_dict(result))


def show(console: Console, result: BenchResult) -> None:
    """Print the tables on the terminal, and in words what they mean."""
    from rich.console import Console as RichConsole
    from rich.table import Table

    from bec_md.bench.tables import method, models_text, tables

    terminal = RichConsole()
    terminal.width = max(terminal.width, 100)  # a wrapped line is read more easily than a cut one
    for item in tables(result):
        table = Table(title=item.title, title_justify="left", box=None, header_style="bold")
        for index, column in enumerate(item.columns):
            table.add_column(
                column, justify="left" if index == 0 else "right", min_width=11 if index == 0 else None
            )
        for row in item.rows:
            table.add_row(*row)
        console.say()
        terminal.print(table)
    console.say()
    console.item("models", models_text(result.systems))
    console.item("method", method())


def parse_threads(text: str) -> tuple[int, ...]:
    """Read a list of thread counts.

    Raises
    ------
    UsageError
        If one is not a positive whole number.
    """
    counts = tuple(int(word) for word in text.split(",") if word.strip().isdigit() and int(word) > 0)
    if not counts or len(counts) != len(text.split(",")):
        raise UsageError(f"--threads {text}", "it is a list of positive whole numbers", "write --threads 1,2")
    return tuple(sorted(set(counts)))


def parse_systems(text: str) -> tuple[str, ...]:
    """Read a list of structures.

    Raises
    ------
    UsageError
        If one is not known.
    """
    known = ("quartz", "water")
    names = tuple(word.strip() for word in text.split(","))
    for name in names:
        if name not in known:
            raise UsageError(
                f"--systems {text}: there is no structure {name!r}",
                f"the benchmark makes {' and '.join(known)}",
                "write --systems quartz,water, or one of them",
            )
    return tuple(dict.fromkeys(names))
