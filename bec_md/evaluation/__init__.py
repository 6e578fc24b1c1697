"""Errors of predicted tensors against labels: arrays in, numbers and one `Evaluation` out."""

from __future__ import annotations

from bec_md.evaluation.evaluate import evaluate_model
from bec_md.evaluation.evaluation import Evaluation, compare
from bec_md.evaluation.index_order import check_index_order

__all__ = ["Evaluation", "check_index_order", "compare", "evaluate_model"]


def __dir__() -> list[str]:
    return sorted(__all__)
