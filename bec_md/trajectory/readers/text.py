"""What the readers of text formats share: frames as blocks of lines, a last one that is cut off, numbers.

A reader cuts its file into blocks without reading numbers (`TextReader.blocks`) and turns the blocks that are
wanted into frames (`TextReader.parse`). Both take time linear in the size of the file.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import count
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.files import open_text
from bec_md.structure import Frame
from bec_md.structure.species import Species
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.base import FileReader

#: Files larger than this are not counted on opening.
COUNT_LIMIT_BYTES = 4 << 30

Block = TypeVar("Block")


class CutFrameError(Exception):
    """The file ends inside a frame: the run was stopped, is still writing, or the copy is incomplete."""


class TextReader(FileReader, Generic[Block]):
    """Frames of a text file that follow one another; parameters as `FileReader`."""

    species: Species | None = None

    @abstractmethod
    def blocks(self, lines: Iterator[str]) -> Iterator[Block]:
        """Cut the lines of the file into frames; raise `CutFrameError` where one ends early."""

    @abstractmethod
    def parse(self, block: Block, index: int, where: str) -> Frame:
        """Turn a block into a frame; a `ValueError` or `IndexError` says what cannot be read."""

    @cached_property
    def n_frames(self) -> int | None:
        """Complete frames stored, or None for files too large to be counted on opening."""
        if self.path.stat().st_size > COUNT_LIMIT_BYTES:
            return None
        return sum(1 for _ in self._whole_blocks())

    def read(self, start: int, stride: int) -> Iterator[Frame]:
        """Yield frames start, start + stride, … of the file."""
        for index, block in enumerate(self._whole_blocks()):
            if index >= start and (index - start) % stride == 0:
                yield self._parsed(block, index)

    def first(self) -> Block:
        """First block of the file.

        Raises
        ------
        DataError
            If there is none.
        """
        for block in self._whole_blocks():
            return block
        raise DataError(
            f"{self.source}: no complete frame",
            f"the file ends before its first frame does (read as {self.format})",
            "check that the copy is complete, or name another format with `format`",
        )

    def _parsed(self, block: Block, index: int) -> Frame:
        try:
            return self.parse(block, index, place(self.source, index))
        except (ValueError, IndexError, OverflowError) as error:
            raise self._unreadable(index, error) from None

    def _unreadable(self, index: int, error: Exception) -> DataError:
        before = f", or read the part before it with `stop={index}`" if index else ""
        return DataError(
            f"{place(self.source, index)} cannot be read: {error}",
            f"its lines do not follow the format {self.format}",
            f"look at this frame{before}, or name another format with `format`",
        )

    def _whole_blocks(self) -> Iterator[Block]:
        """Blocks up to the end of the file, or to a last one that is cut off and left out with a warning."""
        with open_text(self.path) as lines:
            blocks = self.blocks(lines)
            for index in count():
                try:
                    block = next(blocks)
                except StopIteration:
                    return
                except CutFrameError as cut:
                    note_cut(self.warnings, self.source, index, str(cut))
                    return
                except (ValueError, IndexError, OverflowError) as error:
                    raise self._unreadable(index, error) from None
                yield block


def note_cut(warnings: list[str], source: str, index: int, why: str = "") -> None:
    """Add the warning about a last frame that is cut off, or what a file beside it lacks, once."""
    message = f"{place(source, index)} is cut off and was left out"
    if why:
        message = f"{place(source, index)} and all behind it are left out: {why}"
    if message not in warnings:
        warnings.append(message)


def take(lines: Iterator[str], n_rows: int) -> list[str]:
    """Return the next `n_rows` lines; raise `CutFrameError` if the file ends before or inside the last."""
    rows: list[str] = []
    for _ in range(n_rows):
        row = next(lines, None)
        if row is None:
            raise CutFrameError
        rows.append(row)
    if ends_early(rows):
        raise CutFrameError
    return rows


def ends_early(rows: Sequence[str]) -> bool:
    """Whether the last of some rows is shorter than the one before it.

    A last line without line end may be whole or cut inside a number: its columns, and the digits of its last
    number, are compared with the line before.
    """
    if not rows or rows[-1].endswith("\n"):
        return False
    last, before = rows[-1].split(), rows[-2].split() if len(rows) > 1 else []
    if not last:
        return True
    return bool(before) and (len(last) < len(before) or is_cut_number(last[-1], before[-1]))


def is_cut_number(token: str, before: str) -> bool:
    """Whether a number lacks decimals or digits of the exponent that the one above it has; no label does."""
    if token[0].isalpha():
        return False  # Fe
    (decimals, exponent), (wanted, wanted_exponent) = _digits(token), _digits(before)
    formatted = wanted > 0  # 1e-17 among others is a zero
    return decimals < wanted or (formatted and exponent < wanted_exponent) or token[-1] in "eEdD+-"


def _digits(token: str) -> tuple[int, int]:
    mantissa, _, exponent = token.lower().replace("d", "e").partition("e")
    return len(mantissa.partition(".")[2]), len(exponent.lstrip("+-"))


def floats(rows: Sequence[str], columns: Sequence[int]) -> NDArray[np.float64]:
    """Numbers of some columns of some rows, shape (rows, columns); `ValueError` says which is none."""
    if not rows:
        return np.empty((0, len(columns)))
    return np.loadtxt(rows, usecols=tuple(columns), comments=None, ndmin=2)


def vector3(text: str) -> NDArray[np.float64]:
    """First three numbers of a line."""
    return np.array(text.split()[:3], dtype=np.float64).reshape(3)
