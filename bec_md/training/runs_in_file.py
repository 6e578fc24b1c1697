"""Outputs that hold several runs, one behind the other: each is read by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.trajectory.readers.text import ends_early

Run = TypeVar("Run")


def runs_in(text: str, header: str) -> list[str]:
    """Cut a text before each line that begins with `header`, a regular expression, as a run does.

    A last line that breaks off within a number is left out.
    """
    whole, _, last = text.rpartition("\n")
    if last.strip() and ends_early([whole.rpartition("\n")[2], last]):
        text = whole + "\n"
    return [part for part in re.split(rf"(?m)(?=^[ \t]*{header})", text) if part.strip()]


def frames_of(
    runs: Iterable[tuple[int, Run]],
    name: str,
    read: Callable[[Run, str], Iterable[Frame]],
    left_out: list[str],
) -> list[Frame]:
    """Return the structures of several runs of the file `name`, numbered through.

    Parameters
    ----------
    runs
        Number of each, and its text or what else `read` takes.
    name
        Name of the file.
    read
        What reads one run: called with that and the words that name it.
    left_out
        Gets a sentence for each run that cannot be read while another can.

    Raises
    ------
    DataError
        That of the first run, if none can be read.
    """
    frames: list[Frame] = []
    errors: list[DataError] = []
    numbered = list(runs)
    for number, run in numbered:
        try:
            frames += read(run, name if len(numbered) == 1 else f"{name}, run {number}")
        except DataError as error:
            errors.append(error)
    if not frames:
        raise errors[0]
    left_out += [f"{error.what} ({error.why})" for error in errors]
    return [replace(frame, index=index) for index, frame in enumerate(frames)]
