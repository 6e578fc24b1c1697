"""The Z* network: architecture, model files, bundled models and the engines that evaluate them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bec_md.network.predictor import BecModel, load_model

__all__ = ["BecModel", "load_model"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from bec_md.network import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module 'bec_md.network' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
