"""What is held back for validation: whole compositions, or one block of time; and copies on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from bec_md.errors import UsageError
from bec_md.structure import Frame


def composition_rank(formula: str, seed: int) -> float:
    """Number in [0, 1) that a composition draws: the same in every file and on every machine."""
    digest = hashlib.sha256(f"{seed}:{formula}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64


def split_by_composition(
    formulas: Sequence[str],
    fraction: float,
    seed: int,
    *,
    where: str = "data",
    fold: tuple[int, int] | None = None,
) -> tuple[list[int], list[int]]:
    """Indices of training and validation frames; no reduced formula is in both.

    Compositions whose :func:`composition_rank` is below `fraction` are held back (at least one), so
    that a composition held back in one file is held back in all files with the same fraction. With a `fold`,
    every n-th composition in the order of ranks is.

    Raises
    ------
    UsageError
        If there is only one composition, or fewer than folds.
    """
    ranks = {formula: composition_rank(formula, seed) for formula in set(formulas)}
    held = {formula for formula, rank in ranks.items() if rank < fraction}
    order = sorted(ranks, key=lambda formula: ranks[formula])
    held = held or set(order[:1])
    if fold is not None:
        held = set(order[fold[0] :: fold[1]])
    if fold is not None and 1 < len(ranks) < fold[1]:
        raise UsageError(
            f"{where}: {len(ranks)} compositions in {fold[1]} folds",
            "a fold without a composition tells nothing",
            f"take at most {len(ranks)} folds, or split: block",
        )
    if len(ranks) < 2 or len(held) == len(ranks):
        raise UsageError(
            f"{where}: {len(ranks)} composition(s), {len(held)} of them held back at fraction {fraction}",
            "a split by composition leaves nothing to train on",
            "use split: block, a smaller fraction, or a validation file",
        )
    training = [i for i, formula in enumerate(formulas) if formula not in held]
    return training, [i for i, formula in enumerate(formulas) if formula in held]


def split_by_block(
    n_frames: int, fraction: float, *, where: str = "data", fold: tuple[int, int] | None = None
) -> tuple[list[int], list[int]]:
    """Indices of training and validation frames; the last part of the file, or that of `fold`, is held back.

    Raises
    ------
    UsageError
        If fewer than two frames are there.
    """
    held = max(1, round(fraction * n_frames))
    if held >= n_frames:
        raise UsageError(
            f"{where}: {n_frames} frame(s), {held} held back at fraction {fraction}",
            "nothing is left to train on",
            "give more frames or a smaller fraction",
        )
    begin, end = n_frames - held, n_frames
    if fold is not None:
        begin, end = (n_frames * number // fold[1] for number in (fold[0], fold[0] + 1))
        if begin == end:
            raise UsageError(
                f"{where}: {n_frames} frame(s) in {fold[1]} folds",
                "a fold without a frame tells nothing",
                f"take at most {n_frames} folds",
            )
    return [*range(begin), *range(end, n_frames)], list(range(begin, end))


def structure_key(frame: Frame) -> bytes:
    """Hash of elements, cell and positions (to 0.001 Å): that of copies is equal."""
    digest = hashlib.sha256(frame.numbers.astype("<i8").tobytes())
    for lengths_ang in (frame.cell_ang, frame.positions_ang):
        digest.update((np.rint(1000.0 * lengths_ang) + 0.0).tobytes())  # + 0.0: no negative zeros
    return digest.digest()


def copied_frames(
    training: Sequence[tuple[str, Sequence[Frame]]], held: Sequence[Frame]
) -> list[tuple[Frame, str]]:
    """Held-back frames whose structure is learned from as well, each with the place of one copy.

    Parameters
    ----------
    training
        Frames of each file, with its name.
    held
        Held-back frames.
    """
    places = {
        structure_key(frame): f"frame {frame.index} of {name}"
        for name, frames in training
        for frame in frames
    }
    keys = [structure_key(frame) for frame in held]
    return [(frame, places[key]) for frame, key in zip(held, keys, strict=True) if key in places]
