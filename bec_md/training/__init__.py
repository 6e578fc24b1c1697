"""Learn Born effective charges: data, loss, training, labels from DFT outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "collection": "collect",
        "config": "TrainingConfig load_config",
        "run": "TrainingResult train",
    },
)

if TYPE_CHECKING:
    from bec_md.training.collection import collect as collect
    from bec_md.training.config import TrainingConfig as TrainingConfig
    from bec_md.training.config import load_config as load_config
    from bec_md.training.run import TrainingResult as TrainingResult
    from bec_md.training.run import train as train
