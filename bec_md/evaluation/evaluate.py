"""Measure a model against labelled structures."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from bec_md.arrays import Array
from bec_md.charges.constant import no_eps_inf
from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.evaluation.doubts import label_doubts, other_level
from bec_md.evaluation.evaluation import Evaluation, compare
from bec_md.evaluation.metrics import MAX_SUM_RULE_E, residual_per_root
from bec_md.files import file_hash, require_file
from bec_md.kinds import require_kind
from bec_md.network.learned import learned_files
from bec_md.structure import Frame
from bec_md.structure.extxyz import read_frames
from bec_md.structure.names import CHARGES, IndexOrder

if TYPE_CHECKING:
    from ase import Atoms


class Predictor(Protocol):
    """What evaluation needs of a model (:class:`bec_md.network.BecModel` has it)."""

    name: str

    def predict_batch(self, frames: Sequence[Frame | Atoms]) -> Any:
        """Tensors, uncertainties and ε_∞ of frames with the same number of atoms."""
        ...


def means_of_elements(frames: Sequence[Frame]) -> dict[int, float]:
    """Mean of tr Z/3 for each element, e."""
    numbers = np.concatenate([frame.numbers for frame in frames])
    trace = np.concatenate([np.trace(f.labels[CHARGES], axis1=1, axis2=2) for f in frames]) / 3
    return {int(z): float(trace[numbers == z].mean()) for z in np.unique(numbers)}


def evaluate_model(
    model: str | Path | Predictor,
    data: str | Path | Sequence[Frame],
    *,
    level: str | None = None,
    charges_key: str | None = None,
    index_order: IndexOrder | None = None,
    total_charge: float | None = None,
    limit: int | None = None,
    training_data: Sequence[str | Path] = (),
    device: str = "cpu",
    engine: Literal["auto", "native", "torch"] = "auto",
    threads: int | None = None,
) -> Evaluation:
    """Measure the errors and the speed of a model on labelled structures.

    Parameters
    ----------
    model
        Name of a bundled model, path of a model file, or a loaded model.
    data
        Extended XYZ file with reference tensors, or frames read before.
    level
        Level of theory whose labels the model should reproduce; the model's own choice when not given.
    charges_key, index_order, total_charge
        How to read the file, see :func:`bec_md.structure.extxyz.iterate_frames`.
    limit
        Use only the first frames.
    training_data
        Files whose mean charge of each element gives the baseline ``element_mean``.
    device, engine, threads
        Where a model given by name runs.

    Returns
    -------
    Evaluation
        Errors in e, with the arrays they come from; ``us_per_atom`` among its metrics.

    Raises
    ------
    UsageError
        If `limit` is not positive.
    DataError
        If file or model cannot be read, or no structure consists of elements that the model knows. Single
        structures with other elements are left out, with a warning.
    """
    if limit is not None and limit < 1:
        raise UsageError(
            f"`limit={limit}`", "an evaluation needs at least one structure", "give a `limit` above 0"
        )
    if isinstance(data, (str, Path)):
        transposed = None if index_order is None else index_order == "displacement-first"
        frames = read_frames(data, charges_key=charges_key, transposed=transposed, total_charge=total_charge)
        name = Path(data).name
    else:
        frames, name = _given(data), "frames"
    frames = frames[:limit]
    _require_labels(frames, name)
    if isinstance(model, (str, Path)):
        from bec_md.network import load_model

        predictor: Predictor = load_model(
            model, device=device, engine=engine, threads=threads, structures=frames, level=level
        )
    else:
        predictor = model
    frames = _known(frames, predictor, name)
    learned = [frame for path in training_data for frame in _baseline(path, charges_key)]
    means = means_of_elements(learned) if learned else None
    predicted, uncertainty, eps, timing = _predict(predictor, frames)
    eps_labels, eps_predicted = _eps_inf(frames, eps)
    result = compare(
        model=predictor.name,
        data=name,
        numbers=np.concatenate([frame.numbers for frame in frames]),
        frame=np.repeat(np.arange(len(frames)), [frame.n_atoms for frame in frames]),
        labels=np.concatenate([frame.labels[CHARGES] for frame in frames]),
        predicted=predicted,
        total_charge=np.array([frame.total_charge for frame in frames]),
        uncertainty_e=uncertainty,
        eps_inf_labels=eps_labels,
        eps_inf_predicted=eps_predicted,
        element_means=means,
        extra=timing,
    )
    doubts = [*_broken(frames), *_impossible(frames), *label_doubts(frames), *_other_level(frames, predictor)]
    doubts += _learned(predictor, data)
    result = replace(result, warnings=(*doubts, *result.warnings))
    return _judged(_introduced(result, predictor), frames, predictor)


def _given(data: Frame | Iterable[Frame]) -> list[Frame]:
    """Frames that were read before, one or several."""
    frames = [data] if isinstance(data, Frame) else list(data)
    for frame in frames:
        require_kind(frame, "labels", "Frame", "give the file, or what `open_trajectory` or `collect` reads")
    return frames


def _eps_inf(frames: Sequence[Frame], predicted: Array) -> tuple[Array, Array | None]:
    """Labels of ε∞ beside predictions, where there are both; zeros stand for a missing label."""
    known = [bool(np.isfinite(e).all()) for e in predicted]  # a molecule without a cell has none
    labels = {
        i: e for i, f in enumerate(frames) if (e := _stated_eps_inf(f)) is not None and not no_eps_inf(e)
    }
    both = [i for i in labels if known[i]]
    return np.array([labels[i] for i in both or labels]).reshape(-1, 3, 3), predicted[both] if both else None


def _stated_eps_inf(frame: Frame) -> Array | None:
    """The label of ε∞, None where zeros or NaN stand for a missing one."""
    eps_inf = frame.eps_inf
    return eps_inf if eps_inf is not None and np.isfinite(eps_inf).all() and eps_inf.any() else None


def _impossible(frames: Sequence[Frame]) -> list[str]:
    """Say which labels of ε∞ are none, and are compared with nothing."""
    wrong = [frame for frame in frames if (e := _stated_eps_inf(frame)) is not None and no_eps_inf(e)]
    return (
        [
            f"ε∞ of {len(wrong)} of {len(frames)} structures is below 1, that of the vacuum (structure "
            f"{wrong[0].index}, {wrong[0].formula}): it is left out"
        ]
        if wrong
        else []
    )


def _baseline(path: str | Path, charges_key: str | None) -> list[Frame]:
    """Frames of a training file, whose column of tensors may be called as that of the data, or as usual."""
    try:
        return read_frames(path, charges_key=charges_key)
    except DataError:
        if charges_key is None:
            raise
        return read_frames(path)


def _require_labels(frames: Sequence[Frame], name: str) -> None:
    if not frames:
        raise DataError(f"{name} has no frames", "there is nothing to compare with", "check the file")
    if bare := sum(CHARGES not in frame.labels for frame in frames):
        raise DataError(
            f"{bare} of {len(frames)} frames have no tensors",
            "there is nothing to compare a prediction with",
            "leave them out, or give them labels",
        )


def _learned(model: Any, data: str | Path | Sequence[Frame]) -> list[str]:
    """Say that the model has learned from the file."""
    path = getattr(model, "path", None)
    if path is None or not isinstance(data, (str, Path)):
        return []
    other = learned_files(path).get(file_hash(require_file(Path(data))))
    if other is None:
        return []
    origin = "" if other.model in (model.card.get("name"), model.name) else ", and this model from it"
    return [
        f"{other.model} has learned from {other.n_training} structures of this file{origin}: their error is "
        "none of unseen structures"
    ]


def _broken(frames: Sequence[Frame]) -> list[str]:
    """Say which labels miss the sum rule so far that a training leaves them out."""
    residuals = [residual_per_root(frame.labels[CHARGES], frame.total_charge) for frame in frames]
    if max(residuals) <= MAX_SUM_RULE_E:
        return []
    worst, count = int(np.argmax(residuals)), sum(item > MAX_SUM_RULE_E for item in residuals)
    return [
        f"the labels of {count} of {len(frames)} structures miss the sum rule: |ΣZ − Q|/√N up to "
        f"{residuals[worst]:.2g} e (structure {frames[worst].index}, {frames[worst].formula}; a training "
        f"drops those above {MAX_SUM_RULE_E:g} e); are they converged and complete, and is the net charge "
        "stated (total_charge)?"
    ]


def _other_level(frames: Sequence[Frame], model: Any) -> list[str]:
    """Say that the model answers at one level of theory where labels are of another that it knows."""
    own = getattr(model, "level", None)
    known = getattr(model, "config", {}).get("levels", ())
    stated = Counter(str(frame.info["level"]) for frame in frames if "level" in frame.info)
    return [
        f"the labels of {count} of {len(frames)} structures are of the level of theory {level!r}, the "
        f"predictions of {own!r}: part of the error is their difference; give `level={other!r}`"
        for level, count in stated.items()
        if own is not None and (other := other_level(level, own, known))
    ]


def _introduced(result: Evaluation, model: Any) -> Evaluation:
    """Say why the model was taken and which error its card states, where it is one of ours."""
    from bec_md.network.registry import stated_error

    card = getattr(model, "card", None)
    error = "" if card is None else stated_error(card)
    return replace(result, model_reason=str(getattr(model, "reason", "")), stated_error=error)


def _judged(result: Evaluation, frames: Sequence[Frame], model: Any) -> Evaluation:
    """Say which structures the model's card tells to doubt: rare elements, uncertainty, a second opinion."""
    from bec_md.network.familiarity import Doubt
    from bec_md.network.second_opinion import familiarity_of, second_difference

    known = [familiarity_of(model, frame) for frame in frames]
    rare = [item.rare for item in known if item.rare]
    warnings = list(result.warnings)
    if rare:
        others = f" ({len(rare)} of {len(frames)} structures have such elements)" if len(frames) > 1 else ""
        warnings.append(rare[0] + others)
    if result.uncertainty_e is None or any(item.limit_e is None for item in known):
        return replace(result, warnings=tuple(warnings))
    ends = np.cumsum(np.bincount(result.frame))[:-1]
    excess = [
        item.excess(Doubt.of(spread), second_difference(model, frame, tensors))
        for item, frame, tensors, spread in zip(
            known, frames, np.split(result.predicted, ends), np.split(result.uncertainty_e, ends), strict=True
        )
    ]
    outside = [i for i, value in enumerate(excess) if value > 1.0]
    if outside:
        worst = max(outside, key=excess.__getitem__)
        text = known[worst].outside_remark(len(outside), len(frames))
        warnings.append(f"{text}; the farthest is structure {frames[worst].index} ({frames[worst].formula})")
    metrics = {**result.metrics, "n_outside_domain": len(outside), "n_rare_elements": len(rare)}
    return replace(result, metrics=metrics, warnings=tuple(warnings))


def _known(frames: Sequence[Frame], predictor: Predictor, name: str) -> list[Frame]:
    """Return the structures of elements that the model knows, saying which ones are left out."""
    from ase.data import chemical_symbols

    elements = getattr(predictor, "elements", None)
    if elements is None:
        return list(frames)
    known = {int(number) for number in elements}
    strange: dict[str, list[int]] = {}
    for frame in frames:
        for number in sorted({int(z) for z in frame.numbers} - known):
            strange.setdefault(chemical_symbols[number], []).append(frame.index)
    if not strange:
        return list(frames)
    kept = [frame for frame in frames if {int(z) for z in frame.numbers} <= known]
    said = "; ".join(
        f"{symbol} in {len(found)} structure(s) (frame {', '.join(map(str, found[:5]))}"
        + (" …)" if len(found) > 5 else ")")
        for symbol, found in strange.items()
    )
    what = f"{predictor.name} does not know {said} of {name}"
    if not kept:
        raise DataError(what, "it was not trained on these elements", "choose another model (bec-md models)")
    warnings.warn(
        BecMDWarning(f"{what}: {len(frames) - len(kept)} of {len(frames)} structures are left out"),
        stacklevel=3,
    )
    return kept


def _predict(
    predictor: Predictor, frames: Sequence[Frame]
) -> tuple[Array, Array | None, Array, dict[str, float]]:
    """Predict frame by frame and time it: the median over frames is robust on a shared machine.

    ε∞ is NaN where there is none.
    """
    tensors, spreads, eps, cpu, wall = [], [], [], [], []

    def ask(frame: Frame) -> Any:
        """Predict one structure; an error has its place."""
        try:
            return predictor.predict_batch([frame])
        except DataError as error:
            what = error.what.removeprefix("frame 0 of the batch: ")
            raise DataError(f"structure {frame.index}: {what}", error.why, error.fix) from None

    ask(frames[0])  # caches and code are loaded by the first call
    for geometry in frames:
        start_cpu, start = time.process_time(), time.perf_counter()
        prediction = ask(geometry)
        n_atoms = len(geometry.numbers)
        cpu.append((time.process_time() - start_cpu) / n_atoms)
        wall.append((time.perf_counter() - start) / n_atoms)
        tensors.append(np.asarray(prediction.born_effective_charges)[0])
        if getattr(prediction, "uncertainty_e", None) is not None:
            spreads.append(np.asarray(prediction.uncertainty_e)[0])
        own = getattr(prediction, "eps_inf", None)
        eps.append(np.full((3, 3), np.nan) if own is None else np.asarray(own)[0])
    timing = {"us_per_atom": 1e6 * float(np.median(wall)), "cpu_us_per_atom": 1e6 * float(np.median(cpu))}
    complete = len(spreads) == len(frames) and np.isfinite(spreads[0]).all()  # not of a single member
    return (
        np.concatenate(tensors),
        np.concatenate(spreads) if complete else None,
        np.array(eps),
        timing,
    )
