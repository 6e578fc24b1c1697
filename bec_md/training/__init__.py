"""Learn Born effective charges: data, loss, training, labels from DFT outputs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "train": "run",
    "TrainingResult": "run",
    "load_config": "config",
    "TrainingConfig": "config",
    "collect": "collection",
}

__all__ = [
    "TrainingConfig",
    "TrainingResult",
    "collect",
    "load_config",
    "train",
]

if TYPE_CHECKING:
    from bec_md.training.collection import collect
    from bec_md.training.config import TrainingConfig, load_config
    from bec_md.training.run import TrainingResult, train


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bec_md.training' has no attribute {name!r}")
    return getattr(import_module(f"bec_md.training.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
