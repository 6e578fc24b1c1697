"""Hostile inputs for the command line: make them, run bec-md on each, and say what did not end as it should.

    python -m tests.attack                     # all of them, half an hour on one core
    python -m tests.attack --only xtc          # those whose name matches a regular expression
    python -m tests.attack --share 16          # every sixteenth: what the suite runs

Every foreign format of trajectories in 18 damaged versions; structures, labels and options of all commands;
file names, links, devices, environments and limits; files that change while they are read. Each must be
worked through, or refused with what, why and what to do and exit status 1 or 2, within a minute and 6 GB,
with its inputs as they were and nothing that looks like a finished output. Commands run in forks of one
warm process, or as programs of their own where that matters.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.trajectory.readers.motion import Motion
from tests.trajectory.readers.test_formats import FORMATS, options_for

LIMIT_S, LIMIT_BYTES = 60.0, 6 << 30
#: Endings of files that somebody would take for results.
RESULTS = (".csv", ".h5", ".png", ".json", ".html", ".safetensors", ".svg", "BORN")
FIXED = ["--charges", "fixed:Na=1,Cl=-1"]
OUT = ["-q", "--threads", "1", "--csv", "o.csv", "-o", "o.h5"]
Make = bytes | Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """A command and the files that it meets.

    Parameters
    ----------
    name
        Unique.
    words
        The command line after ``bec-md``.
    files
        Name → content, or what makes it.
    wants
        ``"refused"``, ``"done"``, or ``"any"`` of both.
    environment
        Variables to set, None to remove; such a case is a program of its own.
    before
        Called in the child before the command begins: limits, closed streams.
    during
        Called in the parent while the command runs, with the folder.
    """

    name: str
    words: list[str]
    files: dict[str, Make] = field(default_factory=dict)
    wants: str = "any"
    environment: dict[str, str | None] | None = None
    before: Callable[[], object] | None = None
    during: Callable[[Path], object] | None = None


# ---------------------------------------------------------------------- damaged versions of any file
_NUMBER = re.compile(rb"(?<![\w.])-?\d+\.\d+(?:[eE][-+]?\d+)?")
_COUNT = re.compile(rb"(?<![\w.+-])[1-9]\d*(?![\w.])")


def _nth(pattern: re.Pattern[bytes], data: bytes, share: float, word: bytes) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data[: len(data) // 2] + word + data[len(data) // 2 :]
    one = found[int(share * (len(found) - 1))]
    return data[: one.start()] + word + data[one.end() :]


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return lambda data: b"\n".join(change(data.split(b"\n")))


VERSIONS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "refused"),
    "byte": (lambda data: data[:1], "refused"),
    "blank": (lambda _: b"\n \n\t\n" * 40, "refused"),
    "ones": (lambda data: b"\xff" * len(data), "refused"),
    "cut": (lambda data: data[: int(0.61 * len(data))], "any"),
    "twice": (lambda data: data + data, "any"),
    "tail": (lambda data: data + b"\x00\x01garbage\xff" * 30, "any"),
    "bom": (lambda data: b"\xef\xbb\xbf" + data, "any"),
    "crlf": (lambda data: data.replace(b"\n", b"\r\n"), "any"),
    "zeros": (lambda data: data[: len(data) // 2] + bytes(512) + data[len(data) // 2 + 512 :], "any"),
    "nan": (lambda data: _nth(_NUMBER, data, 0.7, b"nan"), "any"),
    "overflow": (lambda data: _nth(_NUMBER, data, 0.7, b"1e999"), "any"),
    "huge": (lambda data: _nth(_NUMBER, data, 0.6, b"9.9e200"), "any"),
    "count": (lambda data: _nth(_COUNT, data, 0.0, b"99999999999"), "any"),
    "negative": (lambda data: _nth(_COUNT, data, 0.0, b"-3"), "any"),
    "commas": (lambda data: re.sub(rb"(\d)\.(\d)", rb"\1,\2", data), "any"),
    "line": (_lines(lambda lines: lines[: len(lines) // 2] + lines[len(lines) // 2 + 1 :]), "any"),
    "swapped": (_lines(lambda lines: lines[len(lines) // 2 :] + lines[: len(lines) // 2]), "any"),
}


def formats(folder: Path) -> Iterator[Case]:
    """Every foreign format of trajectories, damaged."""
    motion = Motion(n_frames=24)
    for number, (write, name, given, *_) in enumerate(FORMATS):
        place = folder / f"{number}-{name.replace(':', '-')}"
        place.mkdir(parents=True)
        path = write(motion, place)
        words: list[str] = []
        for option, value in options_for(motion, place, given).items():
            flag = {"timestep_fs": "--timestep", "cell_ang": "--cell", "lammps_units": "--units"}.get(
                option, "--" + option
            )
            text = " ".join(map(str, np.ravel(value))) if option == "cell_ang" else Path(str(value)).name
            words += [flag, text]
        whole = {one.name: one.read_bytes() for one in place.iterdir()}
        command = ["spectrum", path.name, *FIXED, "--temperature", "300", *words, *OUT]
        yield Case(f"{place.name}-healthy", command, dict(whole), "done")
        for version, (change, wants) in VERSIONS.items():
            yield Case(
                f"{place.name}-{version}", command, {**whole, path.name: change(whole[path.name])}, wants
            )


# ---------------------------------------------------------------------- a small healthy system
CELL = 5.64


def salt(frames: int = 40, *, step: float = 1.0, change: Callable[[int, str], str] | None = None) -> bytes:
    """Extended XYZ of eight vibrating ions."""
    random = np.random.default_rng(1)
    grid = np.array([[i, j, k] for i in range(2) for j in range(2) for k in range(2)])
    symbols = np.where(grid.sum(axis=1) % 2, "Cl", "Na")
    omega, phase = random.uniform(0.03, 0.06, (8, 3)), random.uniform(0.0, 6.28, (8, 3))
    out = []
    for k in range(frames):
        turn = omega * k * step + phase
        columns = np.hstack([grid * CELL / 2 + 0.05 * np.sin(turn), 0.05 * omega * np.cos(turn)])
        text = f'8\nLattice="{CELL} 0 0 0 {CELL} 0 0 0 {CELL}" Properties=species:S:1:pos:R:3:vel:R:3 '
        text += f"timestep_fs={step} velocity_units=ang/fs\n"
        for symbol, row in zip(symbols, columns, strict=True):
            text += symbol + " " + " ".join(f"{value:.9f}" for value in row) + "\n"
        out.append(text if change is None else change(k, text))
    return "".join(out).encode()


POSCAR = f"""salt
1.0
{CELL} 0 0
0 {CELL} 0
0 0 {CELL}
Na Cl
1 1
Direct
0 0 0
0.5 0.5 0.5
"""
CIF = f"""data_salt
_symmetry_space_group_name_H-M 'F m -3 m'
_symmetry_Int_Tables_number 225
_cell_length_a {CELL}
_cell_length_b {CELL}
_cell_length_c {CELL}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na1 Na 0 0 0
Cl1 Cl 0.5 0.5 0.5
"""
SPECTRUM = ["spectrum", "t.xyz", *FIXED, *OUT]


def structures() -> Iterator[Case]:
    """Structures for born, harmonic and md that cannot be, or hardly."""
    poscar = {
        "scale-0": POSCAR.replace("\n1.0\n", "\n0.0\n", 1),
        "scale-nan": POSCAR.replace("\n1.0\n", "\nnan\n", 1),
        "scale-1e30": POSCAR.replace("\n1.0\n", "\n1e30\n", 1),
        "scale-negative": POSCAR.replace("\n1.0\n", f"\n-{CELL**3}\n", 1),
        "flat": POSCAR.replace(f"0 0 {CELL}", "0 0 0"),
        "singular": POSCAR.replace(f"0 0 {CELL}", f"{CELL} 0 0"),
        "left-handed": POSCAR.replace(f"0 0 {CELL}", f"0 0 -{CELL}"),
        "overlap": POSCAR.replace("0.5 0.5 0.5", "0 0 1e-9"),
        "nan": POSCAR.replace("0.5 0.5 0.5", "nan 0.5 0.5"),
        "count-0": POSCAR.replace("\n1 1\n", "\n0 0\n"),
        "count-negative": POSCAR.replace("\n1 1\n", "\n-1 1\n"),
        "count-1e12": POSCAR.replace("\n1 1\n", "\n1000000000000 1\n"),
        "element": POSCAR.replace("Na Cl", "Qq Cl"),
        "no-elements": POSCAR.replace("Na Cl\n", ""),
        "cut": POSCAR[:40],
        "empty": "",
        "coordinates": POSCAR.replace("Direct", "Cartwheel"),
        "latin": POSCAR.replace("salt", "sel marin \u00e9"),
        "cartesian-far": POSCAR.replace("Direct", "Cartesian").replace("0.5 0.5 0.5", "1e9 1e9 1e9"),
    }
    certain = {"scale-0", "scale-nan", "flat", "singular", "overlap", "nan", "cut", "empty", "element"}
    for name, text in poscar.items():
        wants = "refused" if name in certain else "any"
        data = text.encode("latin-1" if name == "latin" else "utf-8")
        yield Case(f"born-poscar-{name}", ["born", "POSCAR", "-q"], {"POSCAR": data}, wants)
        words = ["harmonic", "POSCAR", "--force-constants", "FORCE_CONSTANTS", "-q", "--csv", "o.csv"]
        yield Case(f"harmonic-poscar-{name}", words, {"POSCAR": data, "FORCE_CONSTANTS": FORCES}, wants)
    cif = {
        "length-0": CIF.replace(f"length_a {CELL}", "length_a 0"),
        "length-nan": CIF.replace(f"length_a {CELL}", "length_a nan"),
        "length-text": CIF.replace(f"length_a {CELL}", "length_a about five"),
        "angle-0": CIF.replace("gamma 90", "gamma 0"),
        "angle-180": CIF.replace("gamma 90", "gamma 180"),
        "angle-sum": CIF.replace("alpha 90", "alpha 170").replace("beta 90", "beta 5"),
        "group-999": CIF.replace("225", "999").replace("'F m -3 m'", "'Z z z'"),
        "no-atoms": CIF[: CIF.index("Na1")],
        "no-loop": CIF[: CIF.index("loop_")],
        "question": CIF.replace("0.5 0.5 0.5", "? ? ?"),
        "uncertain": CIF.replace("0.5 0.5 0.5", "0.500(3) 0.500(3) 0.500(3)"),
        "two-blocks": CIF + CIF.replace("data_salt", "data_other"),
        "unknown": CIF.replace("Cl1 Cl", "X1 X"),
        "deuterium": CIF.replace("Cl1 Cl", "D1 D"),
        "quote": CIF.replace("'F m -3 m'", "'F m -3 m"),
        "occupancy": CIF.replace("_fract_z\n", "_fract_z\n_atom_site_occupancy\n").replace(
            " 0 0 0\n", " 0 0 0 0.5\n"
        ),
        "empty": "",
    }
    for name, text in cif.items():
        files: dict[str, Make] = {"a.cif": text.encode(), "pair.in": LAMMPS.encode()}
        yield Case(f"born-cif-{name}", ["born", "a.cif", "-q"], files)
        words = ["md", "a.cif", "--calculator", "lammps:pair.in", "--time", "0.02", "--replicas", "1"]
        yield Case(f"md-cif-{name}", [*words, "--equilibrate", "0.01", "-q"], files)


FORCES = b"2 2\n" + b"".join(
    b"%d %d\n%s 0 0\n0 %s 0\n0 0 %s\n" % (i, j, f, f, f)
    for i, j, f in ((1, 1, b"2"), (1, 2, b"-2"), (2, 1, b"-2"), (2, 2, b"2"))
)
LAMMPS = """pair_style lj/cut 6.0
pair_coeff * * 0.01 2.5
"""


def commands() -> Iterator[Case]:
    """Options and small files of all commands that cannot be meant."""
    t = {"t.xyz": salt()}
    impossible = ("nan", "inf", "-1", "0", "1e400", "x", "", "1e-320", "--", "1_000", "１０")
    for flag in ("--temperature", "--resolution", "--timestep", "--max", "--constraints", "--thickness"):
        for value in impossible:
            wants = "any" if value in ("0", "1e-320", "1_000", "１０", "inf", "--") else "refused"
            yield Case(f"number{flag}={value}", [*SPECTRUM, flag, value], dict(t), wants)
    for flag, values in {
        "--groups": ("nope", "species,", "x" * 5000, "0-3;4-99", "/dev/zero", "."),
        "--symmetry": ("nope", "Fm-3m", "m-3m", "p1", "t.xyz", "", "\x00".strip("\x00") + "Ⅲ"),
        "--eps-inf": ("1,2", "1,2,3,4,5,6,7", "nan", "-2", "1 0 0 0 1 0 0 0 -1", "model", "1e308"),
        "--charges": (
            "fixed:",
            "fixed:Na",
            "fixed:Na=nan",
            "fixed:Na=1e400,Cl=-1",
            "file:",
            "born:nope",
            "🧂",
        ),
        "--masses": ("Na=", "=3", "Na=1e-300", "Na=1,Na=2", "Xx=3"),
        "--velocities": ("nope", "t.xyz", ".", "/dev/null"),
        "--cell": ("1 2", "1 1 1 0 0 0", "nan nan nan", "1e300 1e300 1e300"),
        "--start": ("1e3", "99999999999999999999999", "٣"),
        "--model": ("nope", "../nope", ".", "/dev/null", "t.xyz", "universal ", "~nobody/x"),
    }.items():
        for value in values:
            yield Case(f"word{flag}={value[:20]}", [*SPECTRUM, flag, value], dict(t))
    for number, words in enumerate(
        (
            ["plan", "--resolution", "1e-9"],
            ["plan", "--error", "0"],
            ["plan", "--error", "-1"],
            ["plan", "--atoms", "999999999999999999999999"],
            ["plan", "--replicas", "0"],
            ["plan", "--components", "7"],
            ["plan", "--highest", "nan"],
            ["models", "--nope"],
            ["cite", "t.xyz"],
            ["cite", ""],
            ["info", ""],
            ["info", "."],
            ["info", "t.xyz/"],
            ["info", "nope/../t.xyz"],
            ["compare", "t.xyz", "t.xyz"],
            ["compare", "/dev/null", "t.xyz"],
            ["plot", "t.xyz"],
            ["plot", "/dev/zero"],
            ["predict", "t.xyz", "-o", ""],
            ["predict", "t.xyz", *FIXED, "-o", "o.csv"],
            ["predict", "t.xyz", *FIXED, "-o", "no/o.xyz"],
            ["evaluate", "t.xyz", "--model", "universal"],
            ["train", "t.xyz"],
            ["train", "/dev/zero"],
            ["collect", "t.xyz", "-o", "o.xyz"],
            ["collect", ".", "-o", "o.xyz"],
            ["modes", "t.xyz", *FIXED, "--force-constants", "t.xyz", "--structure", "t.xyz"],
            ["modes", "t.xyz", *FIXED, "--degeneracy", "nan", "--csv", "o.csv"],
            ["bench", "--atoms", "-5"],
            ["validate", ""],
            ["md", "t.xyz", "--calculator", "nope"],
            ["md", "t.xyz", "--calculator", "os:system"],
            ["md", "t.xyz", "--calculator", "lammps:t.xyz", "--time", "0.02"],
            ["md", "t.xyz", "--calculator", "lammps:nope"],
            ["md", "t.xyz", "--calculator", "lammps:t.xyz", "--supercell", "0,1,1"],
            ["md", "t.xyz", "--calculator", "lammps:t.xyz", "--supercell", "999999,999999,9"],
            ["md", "t.xyz", "--calculator", "lammps:t.xyz", "--md-timestep", "nan"],
            ["md", "t.xyz", "--calculator", "lammps:t.xyz", "--time", "1e300"],
        )
    ):
        yield Case(f"command-{number}-{' '.join(words)[:40]}", words, dict(t))


# ---------------------------------------------------------------------- places, limits, time
def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def _folder(path: Path) -> None:
    path.mkdir()


def _socket(path: Path) -> None:
    import socket

    one = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket is short
    one.bind(path.name)
    os.chdir(here)
    one.close()


def _limit(kind: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (value, value))


def _closed(*streams: int) -> Callable[[], None]:
    def close() -> None:
        for stream in streams:
            os.close(stream)

    return close


def _gone() -> None:
    folder = Path.cwd() / "gone"
    folder.mkdir()
    os.chdir(folder)
    folder.rmdir()


NAMES = (
    "-o", "--help", " ", "a b.xyz", "a\nb.xyz", "it's.xyz", '"q".xyz', "*.xyz", "$HOME.xyz", "a;b.xyz",
    "%s%n.xyz", "{0}.xyz", "\x1b[31mred.xyz", "é.xyz", "e\u0301.xyz", "日本.xyz", "\u202ertl.xyz",
    "a" * 240 + ".xyz", ".xyz", "CON.xyz", "t.XYZ", "t.xyz.gz", "t.h5", "t.csv",
    "t.png", "http:x.xyz", "[bold]t[/bold].xyz",
)  # fmt: skip


ENVIRONMENTS = {
    "HOME": "done", "HOME=/dev/null": "done", "HOME=/nowhere": "done", "PATH=": "done",
    "TMPDIR=/nowhere": "any",
    "XDG_CACHE_HOME=/dev/null": "done", "MPLCONFIGDIR=/dev/null": "done", "MPLBACKEND=nope": "any",
    "TERM=nope": "done", "COLUMNS=0": "done", "COLUMNS=-5": "done", "OMP_NUM_THREADS=many": "done",
    "OMP_NUM_THREADS=0": "done", "PYTHONIOENCODING=ascii": "done", "LC_ALL=C": "done",
    "LC_ALL=xx_YY.no": "done",
    "PYTHONIOENCODING=utf-7": "done", "PYTHONOPTIMIZE=2": "done", "HDF5_USE_FILE_LOCKING=nope": "any",
    "PYTHONWARNINGS=error": "any",
}  # fmt: skip


def places() -> Iterator[Case]:
    """Names, links, devices, environments and limits around healthy and unhealthy inputs."""
    t: dict[str, Make] = {"t.xyz": salt()}
    for number, name in enumerate(NAMES):
        words = ["spectrum", *OUT, *FIXED, "--", name]
        yield Case(f"name-{number}", words, {name: salt()})
    yield Case("name-bytes", ["spectrum", *OUT, *FIXED, "t\udcff\udc80.xyz"], {"t\udcff\udc80.xyz": salt()})
    yield Case("name-bytes-out", [*SPECTRUM[:-1], "o\udcff.h5"], dict(t))
    yield Case("name-report", [*SPECTRUM, "--report", "r\udcff.html", "--json", "é\udcfe.json"], dict(t))
    makers: dict[str, Make] = {
        "loop": _loop, "dangling": _link("nowhere"), "folder": _folder, "fifo": _fifo, "socket": _socket,
        "null": _link("/dev/null"), "zero": _link("/dev/zero"), "full": _link("/dev/full"),
        "memory": _link("/proc/self/mem"), "random": _link("/dev/urandom"),
    }  # fmt: skip
    for kind, make in makers.items():
        for suffix in ("xyz", "lammpstrj", "npz", "h5", "csv", "traj", "nc", "safetensors"):
            yield Case(f"place-{kind}-{suffix}", ["info", f"t.{suffix}"], {f"t.{suffix}": make}, "refused")
        yield Case(f"place-{kind}-spectrum", SPECTRUM, {"t.xyz": make}, "refused")
        for output in ("o.h5", "o.csv", "t_current.h5", "t_current.h5.parts"):
            yield Case(f"output-{kind}-{output}", SPECTRUM, {**t, output: make})
    for target in (
        "/dev/full",
        "/dev/null",
        "/dev/stdout",
        "/proc/x.csv",
        "/dev/fd/99",
        "o.csv/",
        "no/o.csv",
        ".",
    ):
        yield Case(f"output-{target}", ["spectrum", "t.xyz", *FIXED, "-q", "--csv", target], dict(t))
    yield Case("input-slash", ["spectrum", "t.xyz/", *FIXED, *OUT], dict(t), "refused")
    yield Case("input-dots", ["spectrum", "../in/./t.xyz", *FIXED, *OUT], dict(t), "done")
    for text, wants in ENVIRONMENTS.items():
        variable, _, value = text.partition("=")
        environment = {variable: value if "=" in text else None}
        yield Case(f"environment-{text}", [*SPECTRUM, "--plot", "o.png"], dict(t), wants, environment)
    limits = {
        "files-24": _limit(resource.RLIMIT_NOFILE, 24),
        "files-8": _limit(resource.RLIMIT_NOFILE, 8),
        "stack": _limit(resource.RLIMIT_STACK, 256 << 10),
        "no-core": _limit(resource.RLIMIT_CORE, 0),
        "umask": lambda: os.umask(0o777),
        "closed-in": _closed(0),
        "closed-out": _closed(1),
        "closed-all": _closed(0, 1, 2),
        "ignored": lambda: [signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGPIPE)],
    }
    for name, before in limits.items():
        yield Case(f"limit-{name}", [*SPECTRUM, "--plot", "o.png"], dict(t), "any", {}, before)
    yield Case("limit-gone", ["plan", "--resolution", "5"], {}, "any", {}, _gone)
    yield Case("limit-gone-relative", ["info", "t.xyz"], {}, "refused", {}, _gone)


def _later(action: Callable[[Path], object], seconds: float = 0.5) -> Callable[[Path], object]:
    def act(folder: Path) -> None:
        time.sleep(seconds)
        action(folder)

    return act


def _grow(folder: Path) -> None:
    with (folder / "t.xyz").open("ab") as file:
        file.write(salt(400))


def changes() -> Iterator[Case]:
    """Files that grow, shrink, vanish or change while they are read."""
    long: dict[str, Make] = {"t.xyz": salt(6000)}
    actions: dict[str, Callable[[Path], object]] = {
        "grow": _grow,
        "shrink": lambda folder: os.truncate(folder / "t.xyz", 200_000),
        "vanish": lambda folder: (folder / "t.xyz").unlink(),
        "replace": lambda folder: (folder / "t.xyz").write_bytes(b"x" * 10_000_000),
        "folder": lambda folder: ((folder / "t.xyz").unlink(), (folder / "t.xyz").mkdir()),
    }
    for name, action in actions.items():
        for seconds in (0.1, 0.4, 1.0):
            yield Case(f"while-{name}-{seconds}", SPECTRUM, dict(long), during=_later(action, seconds))
    parts = lambda folder: shutil.rmtree(folder / "t_current.h5.parts", ignore_errors=True)  # noqa: E731
    for seconds in (0.3, 0.8):
        yield Case(f"while-parts-{seconds}", SPECTRUM, dict(long), during=_later(parts, seconds))


def cases(folder: Path) -> list[Case]:
    """All of them."""
    found = [*formats(folder), *structures(), *commands(), *places(), *changes()]
    assert len({case.name for case in found}) == len(found)
    return found


# ---------------------------------------------------------------------- running and judging
@dataclass(frozen=True)
class Ending:
    """How a command ended: status or −signal, seconds, MB at most, what it said, whether time was up."""

    status: int
    seconds: float
    megabytes: int
    said: str
    ended: bool


def _child(case: Case, folder: Path, said: int) -> None:
    os.setsid()
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(said, 1)
    os.dup2(said, 2)
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
    program = shutil.which("bec-md", path=str(Path(sys.executable).parent)) or "bec-md"
    if case.before is not None:
        case.before()
    words = [os.fsencode(word) for word in ["bec-md", *case.words]]
    if case.environment is not None:
        changed = {**os.environ, **case.environment}
        os.execve(program, words, {k: v for k, v in changed.items() if v is not None})
    import warnings

    from bec_md.cli import main

    warnings.resetwarnings()
    sys.argv = ["bec-md", *case.words]
    main()


def run(case: Case, folder: Path) -> Ending:
    """Run one command in a process of its own."""
    output, begin = folder.parent / "said", time.monotonic()
    said = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            _child(case, folder, said)
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(status)
    os.close(said)
    if case.during is not None:
        case.during(folder)
    ended = False
    while True:
        done, status, used = os.wait4(pid, os.WNOHANG)
        if done:
            break
        if not ended and time.monotonic() - begin > LIMIT_S:
            ended = True
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.01)
    text = output.read_text(errors="replace")
    seconds = time.monotonic() - begin
    return Ending(os.waitstatus_to_exitcode(status), seconds, used.ru_maxrss // 1024, text, ended)


def contents(folder: Path) -> dict[str, str]:
    """Hashes of the ordinary files of a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha1(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def judge(case: Case, ending: Ending, before: dict[str, str], after: dict[str, str]) -> str:
    """Return "" if all is well, else what is not."""
    text, mute = ending.said, case.name in ("limit-closed-all", "limit-files-8", "limit-stack")
    if ending.ended:
        return "does not end"
    if ending.status < 0:
        return f"killed by {signal.Signals(-ending.status).name}"
    if "Traceback (most recent call last)" in text or "Exception ignored" in text:
        return "traceback"
    if "MemoryError" in text or "out of memory" in text or ending.megabytes > 3000:
        return f"memory: {ending.megabytes} MB"
    if case.during is None and any(after.get(name) != known for name, known in before.items()):
        return "an input was changed"
    if ending.status == 0:
        return "accepted" if case.wants == "refused" else ""
    if ending.status not in (1, 2):
        return f"exit status {ending.status}"
    if mute:
        return ""
    if "run with --debug" in text or not re.search(r"error: .", text, re.IGNORECASE):
        return "refused without a reason"
    finished = [
        name for name in after.keys() - before.keys() if name.endswith(RESULTS) and "_current" not in name
    ]
    if finished := [name for name in finished if ".partial-" not in name]:
        return f"looks finished: {', '.join(finished)}"
    return "refused" if case.wants == "done" else ""


def build(case: Case, folder: Path) -> None:
    """Make the files of a case."""
    for name, make in case.files.items():
        path = folder / name
        if isinstance(make, bytes):
            path.write_bytes(make)
        else:
            make(path)


def attack(chosen: list[Case], folder: Path, show: bool = False) -> Counter[str]:
    """Run the cases and print what did not end well."""
    tally: Counter[str] = Counter()
    for case in chosen:
        place = folder / "run" / "in"
        subprocess.run(["chmod", "-R", "u+rwx", str(folder)], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(place.parent, ignore_errors=True)
        place.mkdir(parents=True)
        build(case, place)
        before = contents(place)
        ending = run(case, place)
        fault = judge(case, ending, before, contents(place))
        tally["fine" if not fault else re.sub(r"[ :].*", "", fault)] += 1
        if fault or show:
            said = ending.said.strip().splitlines()
            first = next((line for line in said if "error" in line.lower()), said[-1] if said else "")
            print(
                f"{fault or 'fine'}: {case.name!r} [{ending.status}, {ending.seconds:.1f} s] {first[:160]}",
                flush=True,
            )
            if show:
                print(ending.said[-3000:], flush=True)
    return tally


def main() -> int:
    """Parse the command line, run, and return 1 if anything did not end well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--share", type=int, default=1, help="run every n-th")
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for module in (
        "ase.io",
        "h5py",
        "MDAnalysis",
        "scipy.optimize",
        "scipy.signal",
        "torch",
        "bec_md.cli.app",
    ):
        import_module(module)
    import_module("matplotlib").use("Agg")
    import_module("torch").set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        found = [case for case in cases(Path(name) / "healthy") if re.search(options.only, case.name)]
        chosen = found[:: options.share]
        print(f"{len(found)} cases, {len(chosen)} of them run", flush=True)
        tally: Any = attack(chosen, Path(name), options.show)
    print(dict(tally))
    return int(set(tally) != {"fine"})


if __name__ == "__main__":
    sys.exit(main())
