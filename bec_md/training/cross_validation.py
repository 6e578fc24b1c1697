"""Error of a training plan on frames that it did not see: as many trainings as there are folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.errors import UsageError
from bec_md.training.config import Source, TrainingConfig

if TYPE_CHECKING:
    from bec_md.training.run import TrainingResult


@dataclass(frozen=True)
class CrossValidation:
    """Errors on held-back frames.

    Parameters
    ----------
    fold_rmse_e
        Root-mean-square error of single tensor components of each fold, e.
    n_tensors
        Number of tensors in each.
    seen_before
        Whether the network that trainings began with, or a teacher, had learned from some of them.
    """

    fold_rmse_e: tuple[float, ...]
    n_tensors: tuple[int, ...]
    seen_before: bool = False

    @property
    def rmse_e(self) -> float:
        """Root-mean-square error over all held-back tensors, e."""
        return float(np.sqrt(np.average(np.square(self.fold_rmse_e), weights=self.n_tensors)))

    def card(self) -> dict[str, Any]:
        """Entries of the model card."""
        from bec_md.training.ancestors import SEEN_BEFORE

        folds = len(self.fold_rmse_e)
        low, high = min(self.fold_rmse_e), max(self.fold_rmse_e)
        return {
            "stated_error_e": self.rmse_e,
            "stated_error_data": f"{folds}-fold cross-validation, {sum(self.n_tensors)} tensors; single "
            f"folds {low:.3g} … {high:.3g} e; the held-back frames also chose the epoch"
            + (SEEN_BEFORE if self.seen_before else ""),
            "cross_validation": {"rmse_e": list(self.fold_rmse_e), "n_tensors": list(self.n_tensors)},
        }


def of_fold(config: TrainingConfig, number: int, folds: int) -> TrainingConfig:
    """Return a configuration that holds back one fold of every file.

    Raises
    ------
    UsageError
        For a number of folds that is none, or files with held-back frames of their own.
    """
    if folds < 2:
        raise UsageError(
            f"`cross_validate={folds}`", "every fold is held back once", "give 2 or more, e.g. 5"
        )
    named = [source.path for source in config.data if isinstance(source.validation, str)]
    if named:
        raise UsageError(
            f"`cross_validate` with a validation file for {named[0]}",
            "its frames are held back already: the error on them is stated",
            "leave `cross_validate` out, or give `validation` as a fraction",
        )

    def changed(source: Source) -> Source:
        """Hold back the fold."""
        return source.model_copy(update={"validation": 1.0 / folds, "fold": (number, folds)})

    return config.model_copy(update={"data": tuple(changed(source) for source in config.data)})


def cross_validate(
    config: TrainingConfig,
    folds: int,
    *,
    config_folder: Path,
    data_root: str | Path | None,
    output: Path,
    report: Callable[[str], None],
) -> CrossValidation | TrainingResult:
    """Train once for each fold, in ``output/fold-N``; folds that are done already are not repeated.

    Returns
    -------
    CrossValidation or TrainingResult
        If it was interrupted, where the fold ended that it was in.

    Raises
    ------
    UsageError
        As `of_fold` and `bec_md.training.train` do.
    """
    from bec_md.network.model_file import read_header
    from bec_md.training.ancestors import SEEN_BEFORE
    from bec_md.training.run import train

    errors, tensors, seen_before = [], [], False
    own = sum(not source.teachers for source in config.data)
    for number in range(folds):
        report(f"fold {number + 1} of {folds}")
        result = train(
            of_fold(config, number, folds),
            data_root=data_root,
            config_folder=config_folder,
            output=output / f"fold-{number + 1}",
            resume=True,
            report=report,
        )
        if result.interrupted:
            return result
        card = read_header(result.model)["card"]
        rows = list(card["validation"].values())[:own]  # replayed files are behind
        seen_before |= SEEN_BEFORE in card.get("stated_error_data", "")
        counts = [int(row["n_tensors"]) for row in rows]
        errors.append(float(np.sqrt(np.average([row["rmse_e"] ** 2 for row in rows], weights=counts))))
        tensors.append(sum(counts))
    return CrossValidation(tuple(errors), tuple(tensors), seen_before)
