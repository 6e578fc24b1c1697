"""``bec-md compile``, which is retired."""

from __future__ import annotations

from bec_md.errors import UsageError


def compile_model() -> None:
    """Say what took its place."""
    raise UsageError(
        "`bec-md compile` is retired",
        "fix bec and the native engine read the model file itself, with or without Python",
        "give them the .safetensors file; embedded programs can use bec_md/native/bec_native.h",
    )
