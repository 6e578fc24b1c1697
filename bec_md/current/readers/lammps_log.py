"""What the log of a LAMMPS run tells about a file that the run wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

#: Logs larger than this are not searched: a thermo table of 10⁶ lines takes about 200 MB.
MAX_LOG_BYTES = 500_000_000
_BOX = re.compile(r"box = \(([^)]*)\) to \(([^)]*)\)")
_BOX_CHANGES = re.compile(r"^(fix\s.*\s(npt|nph|nph/\w+|npt/\w+|deform|box/relax|press/\w+)\s|change_box)")


@dataclass
class LogContent:
    """Thermo tables of a log and the settings that its echo of the input shows."""

    runs: list[tuple[tuple[str, ...], list[list[float]]]] = field(default_factory=list)
    units: str | None = None
    timestep: float | None = None
    box_volume: float | None = None  # in units of length³; None as well if the box may have changed
    written: list[str] = field(default_factory=list)  # names of files in `fix ave/time` commands


def parse_log(path: Path) -> LogContent:
    """Collect thermo tables, units, time step, box and output files from a log."""
    content = LogContent()
    names: tuple[str, ...] | None = None
    box_changes = False
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            words = line.split()
            if not words:
                continue
            if words[0] == "Step":
                names = tuple(words)
                content.runs.append((names, []))
            elif line.startswith("Loop time"):
                names = None
            elif names is not None:
                values = _floats(words)
                if values is not None and len(values) == len(names):
                    content.runs[-1][1].append(values)
            else:
                _read_setting(content, line, words)
                box_changes = box_changes or _BOX_CHANGES.match(line) is not None
    if box_changes:
        content.box_volume = None
    return content


def log_of(path: Path) -> LogContent | None:
    """The log, in the folder of a file, of the run whose `fix ave/time` wrote that file; None without one."""
    for candidate in _logs(path.parent):
        content = parse_log(candidate)
        if any(Path(name).name == path.name for name in content.written):
            return content
    return None


def _logs(folder: Path) -> Iterator[Path]:
    found = {*folder.glob("log.*"), *folder.glob("*.log"), *folder.glob("log")}
    for path in sorted(found, key=lambda p: p.stat().st_mtime, reverse=True):
        if path.is_file() and path.stat().st_size < MAX_LOG_BYTES:
            yield path


def _read_setting(content: LogContent, line: str, words: list[str]) -> None:
    if words[0] == "units" and len(words) > 1:
        content.units = words[1]
    elif words[0] == "timestep" and len(words) > 1:
        content.timestep = next(iter(_floats(words[1:2]) or ()), None)
    elif words[0] == "fix" and len(words) > 3 and words[3].startswith("ave/time") and "file" in words[:-1]:
        content.written.append(words[words.index("file") + 1])
    elif match := _BOX.search(line):
        low, high = (_floats(text.split()) for text in match.groups())
        if low is not None and high is not None and len(low) == len(high) == 3:
            edges = [b - a for a, b in zip(low, high, strict=True)]
            content.box_volume = edges[0] * edges[1] * edges[2]  # tilts do not change it


def _floats(words: list[str]) -> list[float] | None:
    try:
        return [float(word) for word in words]
    except ValueError:
        return None
