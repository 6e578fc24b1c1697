"""Kill the command line at random moments, give the same command again, and compare every byte.

    python -m tests.kills                             # ten kills of every kind
    python -m tests.kills --only worker --kills 40    # kinds whose name fits this pattern
    python -m tests.kills --seed 2

A kind is a command, what is computed, and who is killed when. After a kill nothing that stands under its
final name may be in part; the same command then has to end well, with the bytes of an undisturbed run
and nothing beside them. Processes are ended by SIGKILL, by their number alone.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

TRAJECTORY = Path(__file__).parents[1] / "examples" / "quartz" / "quartz_300K.npz"
FIXED = ("--charges", "fixed:Si=3.4,O=-1.7")
OUTPUTS = ("-o", "s.h5", "--csv", "s.csv", "--json", "s.json", "--plot", "s.png", "--report", "s.html")
COMMANDS = {
    "current": ("current", "-o", "c.h5"),
    "spectrum": ("spectrum", "--current", "c.h5", *OUTPUTS),
}
#: Times that a kind tries to strike, and seconds that are waited for orphans to end.
_TRIES, _ORPHANS_S = 6, 5.0
_CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@dataclass(frozen=True)
class Kind:
    """Options of a command; who is killed, when, and how often rows are stored."""

    words: tuple[str, ...]
    victim: str = "itself"
    moment: str = "any"
    commit_s: float = 0.1
    chain: int = 1
    dask: bool = False


KINDS = {
    "fixed": Kind(FIXED, commit_s=0.01, chain=3),
    "joining": Kind(FIXED, moment="joining", commit_s=0.02),
    "network": Kind(("--stop", "200"), commit_s=0.1, chain=2),
    "stride": Kind(("--stop", "400", "--charge-stride", "4"), chain=2),
    "workers": Kind(("--stop", "200", "--workers", "2")),
    "one-worker": Kind(("--stop", "200", "--workers", "2"), victim="worker"),
    "dask-client": Kind(("--stop", "200"), dask=True),
    "dask-worker": Kind(("--stop", "200"), dask=True, victim="worker"),
    "outputs": Kind(("--stop", "500", *FIXED), moment="outputs"),
}


def children(pid: int) -> list[int]:
    """Processes that a process started and that compute: workers, no helpers of multiprocessing."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text().split()]
        except OSError:
            continue
    return [child for child in found if b"spawn_main" in command_of(child)]


def command_of(pid: int) -> bytes:
    """Command line of a process; nothing once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Trial:
    """One folder in which a command is started, killed and given again."""

    def __init__(self, folder: Path, words: list[str], kind: Kind, cluster: int | None) -> None:
        self.folder, self.words, self.kind, self.cluster = folder, words, kind, cluster
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    def start(self) -> int:
        """Run the command line in a child that has all modules already."""
        pid = os.fork()
        if pid:
            return pid
        status = 70
        try:
            os.chdir(self.folder)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            said = os.open(self.folder.with_suffix(".said"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(said, 1)
            os.dup2(said, 2)
            currents: Any = import_module("bec_md.cli.currents")
            currents.COMMIT_SECONDS = currents.COMMIT_SECONDS_TERMINAL = self.kind.commit_s
            sys.argv = ["bec-md", *self.words]
            import_module("bec_md.cli").main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def finish(self) -> tuple[int, str]:
        """Run the command undisturbed; return its status and what it said."""
        _, status = os.waitpid(self.start(), 0)
        return os.waitstatus_to_exitcode(status), self.folder.with_suffix(".said").read_text()

    def strike(self, rng: random.Random, whole_s: float) -> tuple[bool, int]:
        """Run and kill; return whether the kill met a running process, and the status of the command."""
        pid, begin = self.start(), time.monotonic()
        happens = self._moment(rng, whole_s)
        while not (happened := happens(time.monotonic() - begin)):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return False, os.waitstatus_to_exitcode(status)
            time.sleep(0.0005)
        workers = children(pid) if self.cluster is None else children(self.cluster)
        victims = workers if self.kind.victim == "worker" else [pid]
        met = bool(happened and victims)
        if met:
            os.kill(rng.choice(victims), signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        self._no_orphans(workers)
        return met, os.waitstatus_to_exitcode(status)

    def _no_orphans(self, workers: list[int]) -> None:
        if self.cluster is not None:
            return
        end = time.monotonic() + _ORPHANS_S
        while alive := [worker for worker in workers if command_of(worker)]:
            assert time.monotonic() < end, f"workers {alive} go on alone"
            time.sleep(0.05)

    def _moment(self, rng: random.Random, whole_s: float) -> Any:
        """Return a function of the seconds since the start that says when to kill."""
        what = self.kind.moment
        if what == "any":
            what = rng.choice(["clock", "chunks", "chunks", "joining"])
        wanted, pause = rng.randint(1, 8), rng.choice([0.0, rng.uniform(0, 0.02), rng.uniform(0, 0.3)])
        delay, patterns = rng.uniform(0.1, 0.95) * whole_s, ("c.partial-*",)
        if what == "clock":
            return lambda seconds: seconds > delay
        if what == "chunks":
            return lambda seconds: self._chunks() >= wanted
        if what == "outputs":
            patterns, pause = ("s.*",), rng.uniform(0.0, 0.6 * whole_s)
        since: list[float] = []

        def after(seconds: float) -> bool:
            """Whether such a file was there long enough ago."""
            if not since and any(next(self.folder.glob(pattern), None) for pattern in patterns):
                since.append(seconds)
            return bool(since) and seconds >= since[0] + pause

        return after

    def _chunks(self) -> int:
        try:
            return sum(name.startswith("rows-") for name in os.listdir(self.folder / "c.h5.parts"))
        except FileNotFoundError:  # not yet, or no more
            return 0


def contents(path: Path) -> Any:
    """Bytes of a file, by dataset where it is HDF5."""
    if path.suffix != ".h5":
        return path.read_bytes()
    with import_module("h5py").File(path) as file:
        names: list[str] = []
        file.visit(names.append)
        items = {name: file[name] for name in names if hasattr(file[name], "dtype")}
        return {name: (item.dtype.str, item.shape, _bytes(item[()])) for name, item in items.items()}


def _bytes(values: Any) -> Any:
    return values.tolist() if values.dtype.hasobject else values.tobytes()


def complete(path: Path) -> bool:
    """Whether a current says that nothing is missing."""
    header = import_module("bec_md.current.file").header_of(path)
    return bool(header and header.get("complete"))


def differing(folder: Path, wanted: dict[str, Any]) -> list[str]:
    """Files that are in the folder and not as they should be; a current may be one that goes on."""
    found = [path for path in folder.iterdir() if path.name in wanted]
    whole = [path for path in found if path.name != "c.h5" or complete(path)]
    return [path.name for path in whole if contents(path) != wanted[path.name]]


def faults_of(trial: Trial, wanted: dict[str, Any]) -> list[str]:
    """Resume and say what is wrong."""
    faults = [f"{name} is there in part" for name in differing(trial.folder, wanted)]
    status, said = trial.finish()
    if status or "Traceback" in said:
        return [*faults, f"the second run ends with {status}: {said[-300:]}"]
    faults += [f"{name} differs" for name in differing(trial.folder, wanted)]
    names = {path.name for path in trial.folder.iterdir()}
    faults += [f"{name} is lost" for name in wanted.keys() - names]
    return [*faults, *(f"{name} is left over" for name in names - wanted.keys())]


def attack(name: str, trial: Trial, kills: int, rng: random.Random) -> int:
    """Kill until it was done often enough; return how many of the runs did not recover."""
    begin = time.monotonic()
    status, said = trial.finish()
    assert status == 0, said
    whole_s = time.monotonic() - begin
    wanted = {path.name: contents(path) for path in trial.folder.iterdir()}
    done = bad = tries = 0
    while done < kills and tries < _TRIES * kills:
        tries += 1
        shutil.rmtree(trial.folder)
        trial.folder.mkdir()
        before, faults = done, []
        for _ in range(rng.randint(1, trial.kind.chain)):
            met, status = trial.strike(rng, whole_s)
            done += met
            if met and trial.kind.victim == "worker" and status not in (0, 1):
                faults.append(f"the command ended with {status}")
        if done > before:
            faults += faults_of(trial, wanted)
            bad += bool(faults)
            print("".join(f"{name}, kill {done}: {fault}\n" for fault in faults), end="", flush=True)
    print(f"{name:22} {done:4} kills in {tries} runs, {bad} lost, differing or in part", flush=True)
    return bad + (done < kills)


@contextmanager
def dask_cluster(folder: Path) -> Iterator[tuple[int, str]]:
    """Process and address of a cluster of two workers, which are started again when they end."""
    script = folder / "cluster.py"
    script.write_text(_CLUSTER)
    words = [sys.executable, str(script)]
    with subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        yield it.pid, it.stdout.readline().strip()


def main() -> int:
    """Parse the command line, kill, and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for module in ("h5py", "scipy.signal", "torch", "distributed", "bec_md.cli.app"):
        import_module(module)
    import_module("matplotlib").use("Agg")
    import_module("torch").set_num_threads(1)
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for command, first in COMMANDS.items():
            for kind_name, kind in KINDS.items():
                called = f"{command} {kind_name}"
                if not re.search(options.only, called) or (kind.moment == "outputs" and command == "current"):
                    continue
                words = [first[0], str(TRAJECTORY), *first[1:], *kind.words, "-q"]
                rng = random.Random(f"{options.seed} {called}")
                if kind.dask:
                    with dask_cluster(folder) as (cluster, address):
                        trial = Trial(folder / "run", [*words, "--dask", address], kind, cluster)
                        bad += attack(called, trial, options.kills, rng)
                else:
                    words += ["--threads", "1"]
                    bad += attack(called, Trial(folder / "run", words, kind, None), options.kills, rng)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
