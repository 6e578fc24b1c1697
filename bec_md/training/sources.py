"""From the data section of a configuration to graphs: read, check, split, find neighbors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.errors import UsageError
from bec_md.evaluation.doubts import label_doubts, other_level
from bec_md.files import file_hash
from bec_md.network.model_file import content_hash, read_header
from bec_md.network.registry import model_beside
from bec_md.structure import Frame
from bec_md.structure.extxyz import read_frames
from bec_md.training.config import Labels, Source, TrainingConfig, find_data_file
from bec_md.training.labels import check_labels
from bec_md.training.splits import copied_frames, split_by_block, split_by_composition, structure_key
from bec_md.training.teacher import load_teacher, read_geometries, taught

if TYPE_CHECKING:
    import torch

    from bec_md.network.predictor import BecModel
    from bec_md.training.loop import TrainingData


@dataclass(frozen=True, slots=True)
class LoadedSource:
    """Frames of one file, split."""

    source: Source
    training: tuple[Frame, ...]
    validation: tuple[Frame, ...]
    sha256: str  # of the file
    teacher_sha256: tuple[str, ...] = ()  # of the models that labelled it
    validation_sha256: str = ""  # of the file that its held-back frames are in, if that is another


def _read(path: Path, source: Source, labels: Labels, report: Callable[[str], None]) -> list[Frame]:
    order = {None: None, "polarization-first": False, "displacement-first": True}[source.index_order]
    frames = read_frames(
        path, charges_key=source.charges_key, transposed=order, total_charge=source.total_charge
    )
    kept, found = check_labels(frames, **labels.model_dump())
    report(f"{path.name} [{source.level}]: {found.summary()}")
    for doubt in label_doubts(frames):
        report(f"warning: {path.name}: {doubt}")
    if not kept:
        raise UsageError(
            f"{path}: no frame passed the label checks ({found.dropped[0]})",
            "nothing is left to learn from",
            "correct total_charge or index order, or relax the limits in the section labels",
        )
    return kept


def load_source(
    source: Source,
    labels: Labels,
    *,
    seed: int,
    config_folder: Path,
    data_root: Path | None,
    report: Callable[[str], None] = lambda line: None,
    held_back: Sequence[Frame] = (),
) -> LoadedSource:
    """Read one file of the configuration and hold back its validation part.

    A teacher labels no structure that is `held_back` of other files, and no composition of theirs is made.

    Raises
    ------
    UsageError
        If the file is missing or cannot be split as asked.
    DataError
        If it is damaged.
    """
    path = find_data_file(source.path, config_folder=config_folder, data_root=data_root)
    frames = read_geometries(path, source) if source.teachers else _read(path, source, labels, report)
    held: list[Frame] = []
    held_hash = ""
    if isinstance(source.validation, str) and not source.teachers:
        other = find_data_file(source.validation, config_folder=config_folder, data_root=data_root)
        held = _read(other, source, labels, report)
        held_hash = file_hash(other)
    elif source.validation and not isinstance(source.validation, str):
        if source.split == "composition":
            formulas = [frame.formula for frame in frames]
            first, second = split_by_composition(
                formulas, source.validation, seed, where=path.name, fold=source.fold
            )
        else:
            first, second = split_by_block(len(frames), source.validation, where=path.name, fold=source.fold)
        frames, held = [frames[i] for i in first], [frames[i] for i in second]
    if source.limit is not None and source.limit < len(frames):
        picked = np.random.default_rng(seed).permutation(len(frames))[: source.limit]
        frames = [frames[i] for i in sorted(picked)]
    if not source.teachers:
        return LoadedSource(source, tuple(frames), tuple(held), file_hash(path), (), held_hash)
    teachers = [load_teacher(name, source.level, config_folder=config_folder) for name in source.teachers]
    copies = _taught(path, frames, source, teachers, [*held_back, *held], seed, report)
    hashes = tuple(content_hash(one.path, read_header(one.path)) for one in teachers)
    return LoadedSource(source, tuple(copies), (), file_hash(path), hashes)  # what is held back is left out


def _taught(
    path: Path,
    frames: Sequence[Frame],
    source: Source,
    teachers: Sequence[BecModel],
    held_back: Sequence[Frame],
    seed: int,
    report: Callable[[str], None],
) -> list[Frame]:
    """Copies that teachers label, of nothing that is held back."""
    keys = {structure_key(frame) for frame in held_back}
    kept = [frame for frame in frames if structure_key(frame) not in keys]
    if not kept:
        raise UsageError(
            f"{path}: all of its structures are held back",
            "a teacher's labels of them would be learned from",
            "give other structures",
        )
    change = "mixed and " if source.mix else "one element exchanged and " if source.substitute else ""
    file = f"{path.name} [{source.level}]"
    report(
        f"{file}: {len(kept)} × {source.copies} structures, {change}displaced by up to "
        f"{source.displace_ang:g} Å, labelled by {', '.join(teacher.name for teacher in teachers)}"
    )
    without = {frame.formula for frame in held_back}
    copies = taught(kept, source, teachers, seed=seed, without=without)
    if source.substitute or source.agree_e:
        report(f"{file}: {len(copies)} of these could be made and labelled")
    if not copies:
        raise UsageError(
            f"{path}: no copy is left to learn from",
            "its compositions are held back, or the teachers agree about none",
            "raise agree_e, or leave the file out",
        )
    return copies


def load_sources(
    config: TrainingConfig, *, config_folder: Path, data_root: Path | None, report: Callable[[str], None]
) -> list[LoadedSource]:
    """Read all files: new data first, replayed data behind it."""
    replay = config.finetune.replay if config.finetune else ()
    asked = (*config.data, *replay)
    loaded: dict[int, LoadedSource] = {}
    tests = _test_frames(config, config_folder, data_root) if any(one.substitute for one in asked) else []
    for number in sorted(range(len(asked)), key=lambda number: bool(asked[number].teachers)):
        loaded[number] = load_source(
            asked[number],
            config.labels,
            seed=config.seed,
            config_folder=config_folder,
            data_root=data_root,
            report=report,
            held_back=[*tests, *(frame for item in loaded.values() for frame in item.validation)],
        )
    sources = [loaded[number] for number in range(len(asked))]
    for item, copies in zip(sources, copies_of(sources), strict=True):
        if copies:
            frame, place = copies[0]
            report(
                f"warning: {item.source.name}: {len(copies)} of {len(item.validation)} held-back structures "
                f"are learned from as well (frame {frame.index} is {place}): their error is none of unseen "
                "structures; leave the copies out, or hold back others"
            )
    for item, learned in zip(sources, learned_compositions(sources), strict=True):
        if learned:
            formula = min(learned)
            report(
                f"warning: {item.source.name}: {len(learned)} of its held-back compositions are learned from "
                f"as well ({formula} in {learned[formula]}): their error is none of unseen compositions; "
                "hold back the same part of both files by composition, or leave them out"
            )
    for item, strange in zip(sources, held_back_alone(sources), strict=True):
        if strange:
            report(
                f"warning: {item.source.name}: {', '.join(strange)} in held-back structures alone: their "
                "error, which chooses the weights and is stated, is that of elements that this training does "
                "not see; hold back others, or leave these structures out"
            )
    for sentence in misnamed_levels(sources, config, config_folder):
        report(f"warning: {sentence}")
    return sources


def _test_frames(config: TrainingConfig, config_folder: Path, data_root: Path | None) -> list[Frame]:
    """Structures of the tests that the card names, whose compositions are not to be made."""
    found: list[Frame] = []
    for test in config.card.get("tests", ()):
        path = find_data_file(test["path"], config_folder=config_folder, data_root=data_root)
        found += read_frames(path)
    return found


def misnamed_levels(
    sources: Sequence[LoadedSource], config: TrainingConfig, config_folder: Path
) -> Iterator[str]:
    """Files that are learned at a level of the network to start from, and state another one that it has."""
    if config.finetune is None:
        return
    known = read_header(model_beside(config.finetune.model, config_folder))["config"]["levels"]
    for item in (item for item in sources if item.source.level in known and not item.source.teachers):
        frames = (*item.training, *item.validation)
        stated = Counter(str(frame.info["level"]) for frame in frames if "level" in frame.info)
        for level, count in stated.items():
            if other := other_level(level, item.source.level, known):
                yield (
                    f"{item.source.name}: {count} of {len(frames)} structures state the level of theory "
                    f"{level!r}, and are learned as {item.source.level!r}: one name for two functionals "
                    f"blurs both; name it {other!r}, or as one of your own"
                )


def held_back_alone(sources: Sequence[LoadedSource]) -> list[list[str]]:
    """Elements of the held-back structures of each file that no training structure has."""
    from ase.data import chemical_symbols

    learned = {int(z) for item in sources for frame in item.training for z in frame.numbers}
    held = [{int(z) for frame in item.validation for z in frame.numbers} for item in sources]
    return [[chemical_symbols[z] for z in sorted(found - learned)] for found in held]


def learned_compositions(sources: Sequence[LoadedSource]) -> list[dict[str, str]]:
    """Held-back compositions of each file split by them that are learned from, with a file that has them."""
    places = {frame.formula: item.source.name for item in sources for frame in item.training}
    return [
        {frame.formula: places[frame.formula] for frame in item.validation if frame.formula in places}
        if holds_compositions_back(item.source)
        else {}
        for item in sources
    ]


def holds_compositions_back(source: Source) -> bool:
    """Whether a part of the compositions of a file is held back."""
    return source.split == "composition" and isinstance(source.validation, float)


def copies_of(sources: Sequence[LoadedSource]) -> list[list[tuple[Frame, str]]]:
    """Held-back frames of each file of which any file has a copy in training, with the place of the copy."""
    training = [(item.source.name, item.training) for item in sources]
    return [copied_frames(training, item.validation) for item in sources]


def elements_of(sources: Sequence[LoadedSource]) -> tuple[int, ...]:
    """Atomic numbers that occur, ascending."""
    found: set[int] = set()
    for item in sources:
        for frame in (*item.training, *item.validation):
            found.update(np.unique(frame.numbers).tolist())
    return tuple(sorted(found))


def levels_of(sources: Sequence[LoadedSource]) -> tuple[str, ...]:
    """Levels of theory in the order of their first appearance."""
    return tuple(dict.fromkeys(item.source.level for item in sources))


def repeats_of(sources: Sequence[LoadedSource], config: TrainingConfig) -> tuple[float, ...]:
    """Copies of each file in an epoch; replayed files fill their fraction of the atoms."""
    repeats = [item.source.repeat for item in sources]
    if config.finetune is None or not config.finetune.replay:
        return tuple(repeats)
    n_new = len(config.data)
    atoms = [sum(frame.n_atoms for frame in item.training) for item in sources]
    new = sum(n * r for n, r in zip(atoms[:n_new], repeats[:n_new], strict=True))
    old = sum(n * r for n, r in zip(atoms[n_new:], repeats[n_new:], strict=True))
    fraction = config.finetune.replay_fraction
    scale = fraction / (1.0 - fraction) * new / old
    return (*repeats[:n_new], *(r * scale for r in repeats[n_new:]))


def make_training_data(
    sources: Sequence[LoadedSource],
    config: TrainingConfig,
    *,
    cutoff_ang: float,
    levels: Sequence[str],
    dtype: torch.dtype,
) -> TrainingData:
    """Find all neighbors and lay the files end to end."""
    from bec_md.training.dataset import build_dataset, join_datasets, weight_by_element
    from bec_md.training.loop import TrainingData

    validation: dict[str, Any] = {}
    parts, unseen = [], set()
    for item, learned in zip(sources, learned_compositions(sources), strict=True):
        options: dict[str, Any] = {
            "level": list(levels).index(item.source.level),
            "dtype": dtype,
            "name": item.source.name,
        }
        parts.append(
            build_dataset(
                item.training, cutoff_ang, weight=item.source.weight, per=config.loss.per, **options
            )
        )
        if item.validation:
            name = item.source.name
            while name in {"train", *validation}:  # the log calls the errors of training so
                name += "_"
            validation[name] = build_dataset(item.validation, cutoff_ang, **options)
            if holds_compositions_back(item.source) and not learned:
                unseen.add(name)
    training = weight_by_element(join_datasets(parts), config.loss.element_power)
    sizes = tuple(len(part) for part in parts)
    n_copies = sum(map(len, copies_of(sources)))
    taught = frozenset(i for i, item in enumerate(sources) if item.source.teachers)
    repeats = repeats_of(sources, config)
    return TrainingData(training, sizes, repeats, validation, frozenset(unseen), n_copies, taught)


def mean_neighbors(data: TrainingData) -> float:
    """Average number of edges per atom of the training data."""
    return float(data.training.n_edges.sum()) / float(data.training.n_atoms.sum())
