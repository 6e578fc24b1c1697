"""Names, links, devices, environments, limits, and files that change while they are read."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.attack.case import FIXED, OUT, SPECTRUM, Case, Make, salt


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
    "t.png", "http:x.xyz", "[bold]t.xyz",
)  # fmt: skip


ENVIRONMENTS = {
    "HOME": "done", "HOME=/dev/null": "done", "HOME=/nowhere": "done", "PATH=": "done",
    "TMPDIR=/nowhere": "any",
    "XDG_CACHE_HOME=/dev/null": "done", "MPLCONFIGDIR=/dev/null": "done", "MPLBACKEND=nope": "done",
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
        if (
            kind == "memory"
        ):  # an ordinary file by its mode, found out while it is written: the others are whole
            continue
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
    yield Case("input-slash", ["spectrum", "t.xyz/", *FIXED, *OUT], dict(t))
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
