"""``bec-md plan``: how long to run and how often to store, before anything is run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from bec_md.cli.console import Console, memory, times
from bec_md.cli.options import with_options
from bec_md.cli.outputs import STDOUT, emit_json, guard
from bec_md.cli.values import refuse_idle

if TYPE_CHECKING:
    from bec_md.spectrum.analysis.pieces import Route
    from bec_md.spectrum.analysis.plan import RunPlan

PLAN_HELP = "Say how long to run and how often to store frames for a resolution and an error."

_ROUTES = {
    "one run": "one run of {each}",
    "new velocities": "{n} pieces of {each} of one run, with new velocities before each",
    "replicas": "{n} replicas of {each}, equilibrated one by one",
}


@with_options()
def plan(
    resolution: Annotated[
        float, typer.Option("--resolution", metavar="CM-1", help="Full width at half maximum in cm⁻¹.")
    ] = 10.0,
    error: Annotated[float, typer.Option("--error", help="Wanted relative error of a point.")] = 0.1,
    highest: Annotated[
        float,
        typer.Option("--highest", metavar="CM-1", help="Highest mode of the system: O–H 3700, oxides 1200."),
    ] = 4000.0,
    replicas: Annotated[int, typer.Option("--replicas", help="Independent runs that are averaged.")] = 1,
    components: Annotated[
        float, typer.Option("--components", help="3 for liquid, glass, cubic; 1 or 2 for an axis or plane.")
    ] = 3.0,
    md_timestep: Annotated[
        float | None,
        typer.Option("--md-timestep", metavar="FS", help="Integration step of the run.", show_default=False),
    ] = None,
    atoms: Annotated[
        int | None,
        typer.Option("--atoms", min=1, help="To estimate the size of the trajectory.", show_default=False),
    ] = None,
    exchange: Annotated[
        float | None,
        typer.Option(
            "--exchange",
            metavar="PS",
            help="Time in which the modes of a crystal exchange energy: compares one run, pieces of it with "
            "new velocities, and replicas.",
            show_default=False,
        ),
    ] = None,
    equilibrate: Annotated[
        float,
        typer.Option("--equilibrate", metavar="PS", help="Before a run, or before each replica."),
    ] = 2.0,
    json: str | None = None,
) -> None:
    """Plan a run."""
    from bec_md.spectrum.analysis.plan import plan_run

    guard({"--json": json})
    idle = exchange is None and equilibrate != 2.0
    refuse_idle({"--equilibrate": idle}, "without --exchange", "add --exchange PS")
    console = Console(results_on_stdout=json == STDOUT)
    found = plan_run(
        resolution,
        error,
        highest,
        replicas=replicas,
        components=components,
        md_timestep_fs=md_timestep,
        exchange_ps=exchange,
        equilibration_ps=equilibrate,
    )
    announce_run(console, found, resolution, atoms)
    announce_shift(console, found, md_timestep, highest)
    if exchange is not None:
        announce_routes(console, found, error, exchange)
    if json is not None:
        emit_json(json, asdict(found))


def announce_run(console: Console, found: RunPlan, resolution: float, atoms: int | None) -> None:
    """Say how long to run and how often to store."""
    count = "one run" if found.replicas == 1 else f"{found.replicas} runs"
    runs = f"{count} of {times(1000 * found.run_time_ps)}"
    percent = 100 * found.relative_error
    console.item("run", f"{runs}, equilibrated: {percent:.1f} % error per point at {resolution:g} cm⁻¹")
    if found.run_time_ps <= 1.001 * found.shortest_ps:
        console.item("", "the resolution alone asks for this length; more replicas do not shorten it")
    console.item(
        "store",
        f"every {found.store_every_fs:.3g} fs or more often, positions and velocities: {found.n_frames} "
        "frames per run",
    )
    if atoms is not None:
        console.item(
            "size", f"about {memory(2 * 24.0 * atoms * found.n_frames)} per run as binary, uncompressed"
        )


def announce_shift(console: Console, found: RunPlan, md_timestep_fs: float | None, highest_cm: float) -> None:
    """Say how far the integration step shifts the highest band, if it is known."""
    if found.verlet_shift_cm is not None:
        text = f"{md_timestep_fs:g} fs shifts {highest_cm:g} cm⁻¹ up by {found.verlet_shift_cm:.1f} cm⁻¹"
        console.item("time step", f"{text}; bec-md spectrum --md-timestep undoes it")


def announce_routes(console: Console, found: RunPlan, error: float, exchange_ps: float) -> None:
    """Compare one run, pieces of it with new velocities, and replicas."""
    console.item(
        "narrow lines",
        f"{100 * error:g} % error of the height, modes that exchange energy in {times(1000 * exchange_ps)}",
    )
    for rank, route in enumerate(found.routes):
        console.item("cheapest" if rank == 0 else "or", _described(route))


def _described(route: Route) -> str:
    """Say what a route is and costs."""
    what = _ROUTES[route.how].format(n=route.pieces, each=times(1000 * route.piece_ps))
    return f"{what}: {times(1000 * route.cost_ps)} of dynamics with equilibration"
