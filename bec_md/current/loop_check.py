"""The closed-loop test of the tensors, done once for a current and kept with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md.charges.closed_loop import loop_of_source

if TYPE_CHECKING:
    from bec_md.current.compute import CurrentJob

KEY = "closed_loop"


def with_closed_loop(job: CurrentJob, output: str | Path | None, overwrite: bool) -> CurrentJob:
    """Return the job with ``metadata["closed_loop"]``: a stored result, or one of the first frame."""
    found = None if output is None or overwrite else _stored(Path(output))
    if found is None:
        frame = next(iter(job.recipe.trajectory.frames()))
        loop = loop_of_source(job.recipe.charges, frame)
        found = None if loop is None else loop.to_dict()
    return replace(job, metadata={**job.metadata, KEY: found})


def _stored(path: Path) -> dict[str, Any] | None:
    from bec_md.current.stored import read_header

    header = read_header(path) if path.is_file() else None
    found = None if header is None else header.get("metadata", {}).get(KEY)
    return found if isinstance(found, dict) else None
