"""Thermo tables of a LAMMPS log (or of its screen output) with the settings that were in force."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from bec_md.arrays import Array
from bec_md.current.readers.lammps_commands import RunSettings
from bec_md.files import open_text

#: Logs larger than this are not searched: a thermo table of 10⁶ lines takes about 200 MB.
MAX_LOG_BYTES = 500_000_000
#: What precedes a comment, in which quoted text may have the sign; a log echoes commands with theirs.
_COMMENT = re.compile(r"^((?:[^#\"']|\"[^\"]*\"|'[^']*')*)#.*$", re.DOTALL)
_RECORD = re.compile(r"-+ Step\s+(-?\d+) -+ CPU")  # of `thermo_modify line multi`
#: Characters of a step in a row; those of longer ones have no blank in front.
_STEP_WIDTH = 8
_WARNING = re.compile(r"WARNING: (fix bec .*?)(?: \(\S+:\d+\))?$")
_FOLDER = re.compile(r"\S*/(?=[^\s/]+\.safetensors)")  # results name no folders of users
_PAIR = re.compile(r"(\S+)\s*=\s*(\S+)")
_NUMBER = r"([-+\d.eE]+)"
_DOMAIN = re.compile(
    rf"(fix bec \S+: mean uncertainty of the tensors {_NUMBER} e, limit of the training domain {_NUMBER} e.*)"
)
_MEANS = re.compile(
    rf"fix bec (\S+): means of the run: temperature {_NUMBER} K \((\d+) degrees of freedom, "
    rf"(\d+) of (\d+) atoms move\), sum of Z Z\^T/m {' '.join([_NUMBER] * 6)} e\^2/amu"
)


@dataclass(frozen=True)
class RunMeans:
    r"""What `fix bec` says about its atoms at the end of a run.

    Parameters
    ----------
    temperature_k
        Mean kinetic temperature of the atoms that move, K.
    freedom
        Degrees of freedom of these.
    moving, atoms
        How many of them there are.
    zz_over_mass
        (3, 3) mean :math:`\sum Z Z^T/m` of the tensors that enter J, of the atoms that move, e²/amu.
    """

    temperature_k: float
    freedom: float
    moving: int
    atoms: int
    zz_over_mass: Array


@dataclass
class ThermoTable:
    """One thermo table, whatever its layout; the settings are those when it began."""

    names: tuple[str, ...]
    settings: RunSettings
    rows: list[list[float]] = field(default_factory=list)
    n_atoms: int | None = None
    n_steps: int | None = None  # that the run made, as said at its end
    means: dict[str, RunMeans] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)  # what `fix bec` warned of
    margin: str | None = None  # what its rows begin with, other than numbers that `fix print` puts between

    def add(self, line: str, values: list[float]) -> None:
        """Take a row, if the line is one: LAMMPS aligns them, unless the step is as wide as its field."""
        if self.margin is None:  # nothing comes between the header and the first row
            self.margin = next((text for text in ("  - [", " ") if line.startswith(text)), "")
        if line.startswith(self.margin) or len(line.split(maxsplit=1)[0]) >= _STEP_WIDTH:
            self.rows.append(values)

    @property
    def lost_steps(self) -> float:
        """Steps of the run behind the last row, if a row is due in them.

        LAMMPS prints the last step of every run, unless `timer timeout` or `fix halt` ends it.
        """
        steps = self.column("Step")
        counts_frames = self.settings.command == "rerun"
        if self.n_steps is None or steps is None or not len(steps) or counts_frames:
            return 0.0
        lost = self.n_steps - float(steps[-1] - steps[0])
        return lost if lost >= (np.median(np.diff(steps)) if len(steps) > 1 else 1.0) else 0.0

    @property
    def array(self) -> Array:
        """(T, C) numbers."""
        return np.array(self.rows).reshape(len(self.rows), len(self.names))

    def column(self, name: str) -> Array | None:
        """Return a column by its name, None if there is none."""
        return self.array[:, self.names.index(name)] if name in self.names else None


@dataclass
class LogContent:
    """Thermo tables of a log, and the settings at its end."""

    tables: list[ThermoTable] = field(default_factory=list)
    settings: RunSettings = field(default_factory=RunSettings)
    written: dict[str, tuple[str, ...]] = field(default_factory=dict)  # file → `fix ave/…` that writes it


class _Parser:
    """Reads line by line; `table` is None between runs."""

    def __init__(self) -> None:
        self.content = LogContent()
        self.settings = RunSettings()
        self.table: ThermoTable | None = None
        self.header_next = False
        self.record: dict[str, float] | None = None  # of `line multi`
        self.pending = ""  # a command that goes on in the next line
        self.printed = False  # the next line is what `print` says
        self.warned: list[str] = []  # of `fix bec`, before the table of the run

    def take(self, line: str) -> None:
        """Take one line."""
        words = line.split()
        if not words:
            return
        if found := _WARNING.match(line.rstrip()):
            (self.warned if self.table is None else self.table.warned).append(_FOLDER.sub("", found[1]))
        elif line.startswith("LAMMPS ("):  # another process, behind one that may have been killed
            self.flush()
            self.table, self.settings, self.warned = None, self.settings.of_another_process(), []
        elif line.startswith("Loop time of"):
            self.end(words)
        elif words[0] == "keywords:":  # thermo_modify line yaml
            self.begin(re.findall(r"'([^']*)'", line))
        elif found := _RECORD.match(line):
            self.begin_record(float(found[1]))
        elif words[0] == "Step" and "=" not in words and "CPU" not in words:
            self.begin(words)
        elif (self.header_next or self._repeats(words)) and len(words) > 2 and not _floats(words):
            self.begin(words)  # a table whose first column is another one
        elif self.table is not None:
            if line.endswith("\n"):  # else a number of a run that goes on may lack digits or its exponent
                self.row(line, words)
        else:
            self.command(line)
        self.header_next = line.startswith("Per MPI rank memory allocation")

    def _repeats(self, words: list[str]) -> bool:
        """Whether a line between runs is the header of the table before, as of `run N pre no`."""
        tables = self.content.tables
        return self.table is None and bool(tables) and tables[-1].names == tuple(words)

    def command(self, line: str) -> None:
        """Take a line between runs."""
        text = self.pending + line.rstrip()
        if text.endswith("&"):
            self.pending = text[:-1] + " "
            return
        self.pending = ""
        text = _COMMENT.sub(r"\1", text)
        words = text.split()
        said, self.printed = self.printed and words[:1] != ["print"], False
        if said or not words:
            return
        self.printed = words[0] == "print" and ("screen", "no") not in pairwise(words)
        self.settings = self.settings.after(text)
        if words[0] == "fix" and len(words) > 3 and words[3].startswith("ave/"):
            for name in (after for word, after in pairwise(words[4:]) if word in ("file", "append")):
                self.content.written[Path(name).name] = tuple(words)

    def begin(self, names: list[str]) -> None:
        """Begin a table."""
        self.flush()
        self.open(tuple(names))

    def open(self, names: tuple[str, ...]) -> None:
        """Open a table, to which belongs what was warned of before it."""
        self.table, self.warned = ThermoTable(names, self.settings, warned=self.warned), []
        self.content.tables.append(self.table)

    def begin_record(self, step: float) -> None:
        """Begin a record of several lines."""
        if self.table is None:
            self.open(())
        self.flush()
        self.record = {"Step": step}

    def row(self, line: str, words: list[str]) -> None:
        """Take a line of a table."""
        table = self.table
        assert table is not None  # only called inside of a table
        if self.record is not None:
            for name, text in _PAIR.findall(line):
                values = _floats([text])
                if values:
                    self.record.setdefault(name, values[0])
        elif line.startswith("  - ["):
            words = line.strip(" -[]\n").replace(",", " ").split()
        if found := _DOMAIN.match(line):
            # a structure that was outside in the run before is warned of there
            if float(found[2]) > float(found[3]) and not any("uncertainty" in said for said in table.warned):
                table.warned.append(found[1])
        elif found := _MEANS.match(line):
            temperature, freedom, moving, atoms, *zz = found.groups()[1:]
            xx, yy, zz_, xy, xz, yz = (float(value) for value in zz)
            tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz_]])
            table.means[found[1]] = RunMeans(
                float(temperature), float(freedom), int(moving), int(atoms), tensor
            )
        elif self.record is None and len(words) == len(table.names) and (values := _floats(words)):
            table.add(line, values)

    def flush(self) -> None:
        """Put the record of several lines into its table; an incomplete last one is left out."""
        if self.record is None or self.table is None:
            return
        if not self.table.rows:
            self.table.names = tuple(self.record)
        if tuple(self.record) == self.table.names:
            self.table.rows.append(list(self.record.values()))
        self.record = None

    def end(self, words: list[str]) -> None:
        """Take the line after a table: ``Loop time of 1.0 on 1 procs for 200 steps with 72 atoms``."""
        self.flush()
        if self.table is not None and words[-1] == "atoms" and words[-2].isdigit():
            self.table.n_atoms = int(words[-2])
            if len(words) > 5 and words[-5].isdigit():
                self.table.n_steps = int(words[-5])
        self.table = None

    def result(self) -> LogContent:
        """Return what was read."""
        self.flush()
        self.content.settings = self.settings
        for table in self.content.tables:
            table.n_atoms = table.n_atoms or table.settings.n_atoms
        return self.content


def parse_log(path: Path) -> LogContent:
    """Collect thermo tables (lines of one, multi or yaml), and the settings in force at each of them."""
    parser = _Parser()
    with open_text(path) as lines:
        for line in lines:
            parser.take(line)
    return parser.result()


def log_of(path: Path) -> tuple[LogContent, tuple[str, ...]] | None:
    """The log, in the folder of a file, of the run that wrote it, and the command; None without one."""
    for candidate in _logs(path.parent):
        content = parse_log(candidate)
        if path.name in content.written:
            return content, content.written[path.name]
    return None


def _logs(folder: Path) -> Iterator[Path]:
    found = {*folder.glob("log.*"), *folder.glob("*.log"), *folder.glob("log")}
    for path in sorted(found, key=lambda p: p.stat().st_mtime, reverse=True):
        if path.is_file() and path.stat().st_size < MAX_LOG_BYTES:
            yield path


def _floats(words: list[str]) -> list[float] | None:
    try:
        return [float(word) for word in words]
    except ValueError:
        return None
