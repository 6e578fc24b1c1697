"""Run a command on a hostile input and judge how it ended."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.attack.case import Case

#: Processor time of a command, time for all of it on a machine with other work, and memory.
LIMIT_CPU_S, LIMIT_S, LIMIT_BYTES = 60, 300.0, 6 << 30
#: Endings of files that somebody would take for results.
RESULTS = (".csv", ".h5", ".png", ".json", ".html", ".safetensors", ".svg", "BORN")


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
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_CPU_S, LIMIT_CPU_S + 1))
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
    if ending.ended or ending.status == -signal.SIGXCPU:
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
