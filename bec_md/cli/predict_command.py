"""``bec-md predict``: a trajectory with the tensors of every atom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bec_md.cli.console import Console, duration
from bec_md.cli.failures import InterruptedByUserError, not_written, stopped_by
from bec_md.cli.inputs import InputOptions
from bec_md.cli.options import with_options
from bec_md.cli.outputs import XYZ_SUFFIXES, guard
from bec_md.current.options import CurrentOptions
from bec_md.trajectory.options import ReadOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bec_md.arrays import Array
    from bec_md.charges import ChargeSource
    from bec_md.charges.source import ChargeBatch
    from bec_md.network.familiarity import Doubt, Familiarity
    from bec_md.structure import Frame
    from bec_md.trajectory import Trajectory

#: Frames from which the model is chosen: they may be of different crystals.
SAMPLED_FRAMES = 64
#: Warnings of one kind that are shown, each of another frame.
_MOST_SAID = 5

PREDICT_HELP = "Write a trajectory, or single structures, with the Born effective charges of every atom."

InputFile = Annotated[
    str, typer.Argument(metavar="INPUT", help="Trajectory or structure.", show_default=False)
]
XyzOutput = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE.xyz",
        help="Extended XYZ with a column born_effective_charges, Z[a,b] = ∂M_a/∂u_b row by row; .gz and .xz "
        "are compressed.",
        rich_help_panel="Output",
        show_default=False,
    ),
]


@with_options(
    ReadOptions,
    CurrentOptions,
    without=(
        *("timestep_fs", "temperature_k", "masses", "charges_transposed"),
        *("charge_stride", "charge_tolerance", "groups", "motions"),
    ),
)
def predict(input: InputFile, output: XyzOutput, quiet: bool = False, **given: Any) -> None:
    """Predict the tensors of every frame."""
    run_predict(input, output, InputOptions.of(given), quiet)


def run_predict(input: str, output: Path, inputs: InputOptions, quiet: bool) -> None:
    """Open, announce, write batch by batch."""
    from bec_md.charges import charges_key, make_charge_source
    from bec_md.charges.each_structure import EachStructure
    from bec_md.cli.announce import composition, describe_model
    from bec_md.current.prepare import default_batch
    from bec_md.network import load_model
    from bec_md.trajectory import open_trajectory

    options = inputs.current
    guard({"--output": output}, suffixes={"--output": XYZ_SUFFIXES})
    console = Console(quiet)
    key = charges_key(options.charges)
    trajectory = open_trajectory(
        input, inputs.reading.changed(charges_key=key, time_series=False, need_cell=False)
    )
    info = trajectory.info
    frames = "an unknown number of" if info.n_frames is None else str(info.n_frames)
    atoms = f"{info.n_atoms} atoms ({composition(info.numbers)})"
    console.item("input", f"{info.source} ({info.format}): {frames} frame(s), {atoms}")
    for warning in info.warnings:
        console.warn(warning)
    sample = list(islice(trajectory.frames(), SAMPLED_FRAMES))
    if not all(frame.pbc.any() for frame in sample):
        console.warn("structures without a cell are taken as molecules in a vacuum: nothing repeats")
    chosen = options.model
    if options.charges == "model":
        chosen = load_model(chosen, structures=sample, device=options.device, threads=options.threads)
    asked = make_charge_source(options.charges, info=info, model=chosen)
    source = EachStructure(asked, sample[0]) if asked.constant else asked.prepare(sample[0])
    model = getattr(source, "model", None)
    if model is not None:
        describe_model(console, model)
    else:
        console.item("charges", source.name)
    for note in source.notes:
        console.warn(note)
    size = options.batch or default_batch(info.n_atoms, options.device)
    write_charges(console, trajectory, source, output, size, stride=inputs.reading.stride)


@dataclass
class Means:
    """Mean tensors of each element, and ε_∞, over all frames."""

    charges: dict[int, Array] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    electronic: Array | None = None
    frames: int = 0

    def add(self, numbers: NDArray[np.int64], batch: ChargeBatch, index: int) -> None:
        """Take up one frame of a batch."""
        import numpy as np

        tensors = batch.born_effective_charges[index]
        for z in sorted(set(numbers.tolist())):
            chosen = tensors[numbers == z]
            self.charges[z] = self.charges.get(z, 0.0) + chosen.sum(axis=0)
            self.counts[z] = self.counts.get(z, 0) + len(chosen)
        if batch.eps_inf is not None and np.isfinite(batch.eps_inf[index]).all():  # a molecule has none
            self.electronic = batch.eps_inf[index] + (0.0 if self.electronic is None else self.electronic)
            self.frames += 1

    def show(self, console: Console) -> None:
        """Print the mean diagonals; off-diagonal elements and scatter are in the file."""
        from ase.data import chemical_symbols

        label = "mean Z*"
        for z, total in self.charges.items():
            x, y, zz = total.diagonal() / self.counts[z]
            each = f"xx {x:+.3f}, yy {y:+.3f}, zz {zz:+.3f}"
            console.item(label, f"{chemical_symbols[z]} {(x + y + zz) / 3:+.3f} e ({each})")
            label = ""
        if self.electronic is not None:
            x, y, zz = self.electronic.diagonal() / self.frames
            console.item("ε∞", f"{(x + y + zz) / 3:.3f} (xx {x:.3f}, yy {y:.3f}, zz {zz:.3f})")


@dataclass
class Doubts:
    """Structures outside the domain of a model, and elements that it has hardly seen; by its card."""

    model: Any
    outside: int = 0
    farthest: tuple[float, Familiarity | None] = (0.0, None)  # that which exceeds its limits most
    remarks: dict[str, int] = field(default_factory=dict)  # about rare elements, with the first frame
    asked: Frame | None = None  # frame that the second model was asked about
    second: Doubt | None = None  # what it differs by there

    def add(self, frames: Sequence[Frame], batch: ChargeBatch) -> None:
        """Take up frames of the same atoms."""
        from bec_md.network.familiarity import Doubt
        from bec_md.network.loading import one_material
        from bec_md.network.oddities import oddities
        from bec_md.network.second_opinion import familiarity_of, second_difference

        known = familiarity_of(self.model, frames[0])
        for remark in filter(None, (known.remark, *oddities(known.model, frames[0]))):
            self.remarks.setdefault(remark, frames[0].index)
        if batch.uncertainty_e is None:
            return
        for frame, tensors, spread in zip(
            frames, batch.born_effective_charges, batch.uncertainty_e, strict=True
        ):
            if not one_material(frame, self.asked):
                self.asked, self.second = frame, second_difference(self.model, frame, tensors)
            excess = known.excess(Doubt.of(spread), self.second)
            self.outside += excess > 1.0
            if excess > self.farthest[0]:
                self.farthest = (excess, known)

    def show(self, console: Console, total: int) -> None:
        """Say what is to be doubted, but not again what was said of the first frame."""
        kinds: dict[str, list[str]] = {}
        for remark, index in self.remarks.items():
            if index:
                kinds.setdefault(remark.split()[0], []).append(f"frame {index}: {remark}")
        for sentences in kinds.values():
            for sentence in sentences[:_MOST_SAID]:
                console.warn(sentence)
            if len(sentences) > _MOST_SAID:
                console.warn(f"{len(sentences) - _MOST_SAID} more of other frames, like the last one")
        if self.outside and self.farthest[1] is not None:
            console.warn(self.farthest[1].outside_remark(self.outside, total))


def alike(frames: Iterator[Frame], most: int) -> Iterator[list[Frame]]:
    """Yield up to `most` successive frames that hold the same atoms."""
    import numpy as np

    batch: list[Frame] = []
    for frame in frames:
        if batch and (len(batch) == most or not np.array_equal(frame.numbers, batch[0].numbers)):
            yield batch
            batch = []
        batch.append(frame)
    if batch:
        yield batch


def _labelled(frame: Frame, result: ChargeBatch, index: int, kept: bool) -> Frame:
    """Return the frame with its tensors; it speaks of a calculation only where they are those of its file."""
    import numpy as np

    from bec_md.structure.names import CALCULATION_KEYS

    eps_inf = frame.eps_inf if kept else None
    if result.eps_inf is not None:
        eps_inf = result.eps_inf[index] if np.isfinite(result.eps_inf[index]).all() else None
    info = {key: value for key, value in frame.info.items() if kept or key not in CALCULATION_KEYS}
    return replace(frame, info=info).with_labels(
        born_effective_charges=result.born_effective_charges[index],
        eps_inf=eps_inf,
    )


def write_charges(
    console: Console, trajectory: Trajectory, source: ChargeSource, output: Path, batch: int, stride: int = 1
) -> None:
    """Evaluate and write every frame, of which every `stride`-th is read; complete ones outlive a signal."""
    import time

    from bec_md.atomic import partial_name, replacing
    from bec_md.charges.per_frame import FrameCharges
    from bec_md.current.evaluate import evaluated_ahead
    from bec_md.files import open_for_writing
    from bec_md.structure.extxyz import frame_text

    info, done, rest, begin = trajectory.info, 0, 0, time.monotonic()
    kept = isinstance(source, FrameCharges)  # ε∞ of the file, which no other source has to do with
    means = Means()
    doubts = Doubts(getattr(source, "model", None))
    batches = alike(trajectory.frames(), batch)
    try:
        progress_bar = console.progress("Born effective charges", 0, info.n_frames)
        with (
            replacing(output, keep=True) as partial,
            open_for_writing(partial) as file,
            progress_bar as progress,
        ):
            for frames, result in evaluated_ahead(source, ((frames, frames) for frames in batches)):
                for i, frame in enumerate(frames):
                    spread = result.uncertainty_e
                    labelled = _labelled(frame, result, i, kept)
                    means.add(frame.numbers, result, i)
                    columns = {} if spread is None else {"charge_uncertainty_e": spread[i]}
                    file.write(frame_text(labelled, columns))
                doubts.add(frames, result)
                done, rest = done + len(frames), frames[-1].index + stride
                progress(done, info.n_frames)
    except KeyboardInterrupt as stop:
        raise InterruptedByUserError(
            f"{stopped_by(stop)}; {done} frames are in {partial_name(output)}",
            "what was finished is not lost",
            f"move it away and repeat with --start {rest} and another -o for the rest"
            if done
            else "run the same command again",
            stop,
        ) from None
    except OSError as error:
        raise not_written(output, error) from error
    seconds = max(time.monotonic() - begin, 1e-9)
    per_atom = 1e6 * seconds / max(sum(means.counts.values()), 1)
    console.item("done", f"{done} frame(s) in {duration(seconds)}, {per_atom:.3g} µs per atom and frame")
    means.show(console)
    doubts.show(console, done)
    console.item("written", str(output))
