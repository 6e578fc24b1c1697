"""Work shared among processes of this machine, which end with the one that asks for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from pickle import PicklingError
from types import TracebackType
from typing import Any

from bec_md.errors import BecMDError, BecMDWarning, DataError, UsageError
from bec_md.interruption import checkpoint

#: What a worker is asked to do: an item, and whom to tell how far it is.
Work = Callable[[Any, Callable[[Any], None]], Any]

_POLL_S = 0.5
_CLOSE_S = 5.0
#: Processors of this process, where it is one of several workers.
_share: int | None = None


def cores() -> int:
    """How many processors this process may keep busy."""
    if _share is not None:
        return _share
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def require_workers(workers: int) -> None:
    """Refuse a number of workers that can do nothing.

    Raises
    ------
    UsageError
        If there is not one.
    """
    if workers < 1:
        raise UsageError(f"`workers={workers}`", "somebody has to do the work", "give `workers=1` or more")


def obey() -> None:
    """Leave signals of the terminal to the process that asks, and end with it, however busy.

    Linux kills a worker whose parent is gone (PR_SET_PDEATHSIG is 1); elsewhere a closed pipe ends it.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@contextmanager
def set_for_workers(threads: int = 1) -> Iterator[None]:
    """Set what workers inherit: they import nothing from the folder they start in, their threads are ours."""
    before = dict(os.environ)
    os.environ.update({"PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": str(threads)})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def without_main_script() -> Iterator[None]:
    """Hide the file of the main module: multiprocessing would run it again in every new process."""
    main = sys.modules["__main__"]
    hidden: dict[str, Any] = {
        name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)
    }
    main.__spec__ = None
    try:
        yield
    finally:
        with suppress(AttributeError):
            del main.__spec__
        vars(main).update(hidden)


class Team:
    """Workers that take one item after the other; a single one is this process itself.

    Parameters
    ----------
    setup
        Makes the work, once in every worker; importable, and so are its arguments.
    workers
        How many processes.
    """

    def __init__(self, setup: Callable[[], Work], workers: int) -> None:
        self._setup, self.workers = setup, workers
        self._here: Work | None = None
        self._members: list[_Member] = []

    def __enter__(self) -> Team:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self._members:
            member.end(at_once=kind is not None)
        self._members = []

    def work_on(
        self, items: Sequence[Any], heard: Callable[[int, Any], None] | None = None
    ) -> Iterator[tuple[int, Any]]:
        """Yield (number of an item, what came out), in the order in which they are done.

        Parameters
        ----------
        items
            What to work on.
        heard
            Called with the number of an item and what its worker tells meanwhile.

        Raises
        ------
        DataError
            If a worker ends before its time.
        BecMDError
            Of an item.
        """
        if self.workers == 1:
            self._here = self._here or self._setup()
            for number, item in enumerate(items):
                yield number, self._here(item, partial(heard, number) if heard else _nobody)
            return
        while len(self._members) < min(self.workers, len(items)):
            self._members.append(_Member.start(self._setup, max(1, cores() // self.workers)))
        waiting = list(enumerate(items))[::-1]
        busy: dict[Connection, tuple[_Member, int]] = {}
        for member in self._members[: len(items)]:
            busy[member.line] = member.give(*waiting.pop())
        while busy:
            checkpoint()
            for line in wait([*busy], _POLL_S):
                member, number = busy[line]  # type: ignore[index]
                kind, value = member.answer()
                if kind != _DONE:
                    if kind == _TOLD and heard is not None:
                        heard(number, value)
                    continue
                del busy[member.line]
                if waiting:
                    busy[member.line] = member.give(*waiting.pop())
                yield number, value


_TOLD, _WARNED, _DONE, _FAILED = "told", "warned", "done", "failed"


@dataclass
class _Member:
    """A worker, seen from the process that asks."""

    process: Any
    line: Connection

    @classmethod
    def start(cls, setup: Callable[[], Work], threads: int) -> _Member:
        """Start a worker, without the caller's script."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_worker, args=(setup, theirs, threads), daemon=True)
        try:
            with set_for_workers(threads), without_main_script():
                process.start()
        except (PicklingError, TypeError, AttributeError) as error:
            raise UsageError(
                f"the work cannot be sent to other processes ({error})",
                "every worker makes its own potential",
                "give a function of a module, or functools.partial of one, as calculator; or `workers=1`",
            ) from error
        finally:
            theirs.close()
        return cls(process, ours)

    def give(self, number: int, item: Any) -> tuple[_Member, int]:
        """Hand over an item."""
        with suppress(BrokenPipeError):  # its answer says so
            self.line.send(item)
        return self, number

    def answer(self) -> tuple[str, Any]:
        """Take what the worker says; raise what it failed with."""
        try:
            kind, value = self.line.recv()
        except (EOFError, ConnectionResetError) as error:
            self.process.join(_CLOSE_S)
            raise DataError(
                f"a worker process ended before its work was done (exit code {self.process.exitcode})",
                "the usual reason is that memory ran out, or somebody ended it",
                "use fewer `workers`; what is done is kept",
            ) from error
        if kind == _WARNED:
            warnings.warn(value, BecMDWarning, stacklevel=2)
        if kind == _FAILED:
            raise value
        return kind, value

    def end(self, *, at_once: bool) -> None:
        """Let the worker go."""
        with suppress(OSError):
            self.line.close()  # a worker that waits for work ends
        if at_once:
            self.process.terminate()
        self.process.join(_CLOSE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


# ---------------------------------------------------------------------- in a worker
def _worker(setup: Callable[[], Work], line: Connection, threads: int) -> None:
    global _share
    obey()
    _share = threads
    work: Work | None = None
    while True:
        try:
            item = line.recv()
        except (EOFError, OSError):
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", BecMDWarning)
                warnings.showwarning = partial(_pass_on, line, warnings.showwarning)
                work = work or setup()
                answer = (_DONE, work(item, lambda value: line.send((_TOLD, value))))
        except Exception as error:
            answer = (_FAILED, _sendable(error))
        line.send(answer)


def _pass_on(line: Connection, usual: Any, message: Any, category: Any, *rest: Any, **more: Any) -> None:
    """Send our own warnings to the process that asks; others as usual."""
    if isinstance(category, type) and issubclass(category, BecMDWarning):
        line.send((_WARNED, str(message)))
    else:
        usual(message, category, *rest, **more)


def _sendable(error: Exception) -> Exception:
    """Return an error that another process can read."""
    known = isinstance(error, BecMDError | OSError)
    return error if known else RuntimeError(f"{type(error).__name__}: {error}")


def _nobody(value: Any) -> None:
    """Tell nobody."""
