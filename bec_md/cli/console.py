"""Where text goes: the report to stdout, progress and warnings to stderr."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TextIO

#: Width of the labels in front of the lines of a report.
LABEL_WIDTH = 12

Advance = Callable[[int], None]


#: Why standard output could not be written, when it was not that its reader went away.
_unwritten: list[OSError] = []


def put(text: str, stream: TextIO) -> None:
    """Print a line; one that nobody can read any more does not end the work whose results are in files."""
    try:
        print(text, file=stream, flush=True)
    except OSError as error:  # a closed pipe, a full disk
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            _unwritten.append(error)
        discard(stream)


def taken_unwritten() -> OSError | None:
    """Return why a part of standard output could not be written, once."""
    found = _unwritten[0] if _unwritten else None
    _unwritten.clear()
    return found


def discard(stream: TextIO) -> None:
    """Send what is still to come to nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@dataclass
class Console:
    """Print the report of a command.

    Parameters
    ----------
    quiet
        Print nothing but warnings and errors.
    results_on_stdout
        Standard output carries a result (``--json -``): the report goes to stderr.
    verbose
        Say all; else what fits one screen.
    """

    quiet: bool = False
    results_on_stdout: bool = False
    verbose: bool = True
    warned: set[str] = field(default_factory=set)

    @property
    def stream(self) -> TextIO:
        """Where the report goes."""
        return sys.stderr if self.results_on_stdout else sys.stdout

    def say(self, text: str = "") -> None:
        """Print one line of the report."""
        if not self.quiet:
            put(text, self.stream)

    def item(self, label: str, text: str) -> None:
        """Print a labelled entry of the report, wrapped under its label."""
        for line in text.split("\n"):
            head, label = label, ""
            self.say(_wrapped(head, line))

    def detail(self, label: str, text: str) -> None:
        """Print an entry that belongs to the long report only."""
        if self.verbose:
            self.item(label, text)

    def warn(self, text: str) -> None:
        """Print a warning on stderr, once."""
        from bec_md.cli.options import in_terms_of_options

        text = in_terms_of_options(text)
        if text not in self.warned:
            self.warned.add(text)
            put(f"warning: {text}", sys.stderr)

    @contextmanager
    def progress(
        self, label: str, done: int = 0, total: int | None = None, unit: str = "frames"
    ) -> Iterator[Callable[[int, int | None], None]]:
        """Show progress with rate and time left, from `done` on; yields ``update(done, total)``."""
        bar = _make_progress(label, done, total, unit, self.quiet)
        try:
            yield bar.update
        finally:
            bar.close()


def _wrapped(label: str, text: str) -> str:
    width = min(max(shutil.get_terminal_size((100, 24)).columns, 60), 130)
    indent = " " * (LABEL_WIDTH + 1)
    lines = textwrap.wrap(text, width - len(indent), break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join([f"{label:<{LABEL_WIDTH}} {lines[0]}", *(indent + line for line in lines[1:])])


class _Silent:
    def update(self, done: int, total: int | None = None) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class _Lines(_Silent):
    """Plain lines, for logs: at most one in ten seconds."""

    every_s = 10.0

    def __init__(self, label: str, first: int, unit: str) -> None:
        self.label, self.first, self.unit = label, first, unit
        self.begin = self.last = time.monotonic()

    def update(self, done: int, total: int | None = None) -> None:
        """Print a line if the last one is old enough."""
        now = time.monotonic()
        if now - self.last < self.every_s:
            return
        self.last = now
        put(f"{self.label}: {self.describe(done, total, now)}", sys.stderr)

    def describe(self, done: int, total: int | None, now: float) -> str:
        """Return count, rate and time left in words."""
        rate = (done - self.first) / max(now - self.begin, 1e-9)
        text = f"{done}{f' of {total}' if total else ''} {self.unit}, {rate:.3g}/s"
        return f"{text}, {duration((total - done) / rate)} left" if total and rate > 0 else text


class _Bar(_Silent):
    """A bar on the terminal."""

    def __init__(self, label: str, first: int, total: int | None, unit: str) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.first, self.unit = first, unit
        self.display = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=RichConsole(stderr=True),
            transient=True,
        )
        self.task = self.display.add_task(label, total=total, completed=first, rate="")
        self.display.start()
        self.begin = time.monotonic()

    def update(self, done: int, total: int | None = None) -> None:
        """Move the bar."""
        rate = (done - self.first) / max(time.monotonic() - self.begin, 1e-9)
        fields: dict[str, Any] = {"rate": f"{rate:.3g} {self.unit}/s"}
        self.display.update(self.task, completed=done, total=total, **fields)

    def close(self) -> None:
        """Remove the bar."""
        self.display.stop()


def _make_progress(label: str, first: int, total: int | None, unit: str, quiet: bool) -> _Silent:
    if quiet:
        return _Silent()
    return _Bar(label, first, total, unit) if sys.stderr.isatty() else _Lines(label, first, unit)


def duration(seconds: float) -> str:
    """Write a time span in words: 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def memory(n_bytes: float) -> str:
    """Write an amount of memory: 120 MB, 2.1 GB."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{max(n_bytes / 1e6, 1):.0f} MB"


def concise(value: float, error: float) -> str:
    """Write a number with the standard error of its last digits: 1035.8(5), 489(6), 12.34(12)."""
    import math

    if not (error > 0.0 and math.isfinite(error)):
        return f"{value:.1f}"
    power = math.floor(math.log10(error))
    begins_with_one = error < 2.0 * 10.0**power  # then two digits of it count
    digits = max(0, begins_with_one - power)
    rounded = round(error * 10.0**digits)
    return f"{value:.{digits}f}({rounded})"


def times(value_fs: float) -> str:
    """Write a time given in fs: 500 fs, 20 ps, 1.2 ns."""
    for unit, size in (("ns", 1e6), ("ps", 1e3)):
        if value_fs >= size:
            return f"{value_fs / size:.4g} {unit}"
    return f"{value_fs:.4g} fs"
