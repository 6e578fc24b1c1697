"""How errors reach the user: what, why and fix on stderr, an exit status, a traceback only on request."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from bec_md.cli.console import discard, put, taken_unwritten
from bec_md.cli.options import in_terms_of_options
from bec_md.errors import BecMDError, BecMDWarning, DataError
from bec_md.interruption import interrupt


class SignalledError(KeyboardInterrupt):
    """A signal to end (SIGTERM, SIGHUP), taken like Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def stopped_by(stop: KeyboardInterrupt) -> str:
    """Say what ended the work."""
    number = getattr(stop, "number", None)
    return "interrupted" if number is None else f"ended by {signal.Signals(number).name}"


class InterruptedByUserError(BecMDError):
    """A signal to end during work whose results so far are kept."""

    def __init__(self, what: str, why: str, fix: str, stop: KeyboardInterrupt) -> None:
        super().__init__(what, why, fix)
        self.exit_status = status_of(stop)


def status_of(stop: KeyboardInterrupt) -> int:
    """Return the shell's exit status after a signal: 128 and its number."""
    return 128 + int(getattr(stop, "number", signal.SIGINT))


def take_signals() -> None:
    """Let SIGTERM and SIGHUP end the program as Ctrl-C does, keeping what is finished; nohup holds."""

    def end(number: int, frame: Any) -> None:
        """Raise in the main thread."""
        signal.signal(number, signal.SIG_IGN)  # once: a second one must not disturb the storing
        interrupt(SignalledError(number))

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


#: Why a file cannot be written, and what to do, by the error number of the system.
_PLACE = "check the name, its length, the folder and the permissions"
_SMALLER = "use fewer --groups, a smaller --batch, or a part of the run (--stop, --stride)"
_NOT_WRITTEN = {
    errno.ENOSPC: ("the disk is full", "make room there, or choose another place"),
    errno.EDQUOT: ("the quota is used up", "make room there, or choose another place"),
    errno.EFBIG: ("a limit on the size of files is reached (ulimit -f)", "raise the limit"),
    errno.EROFS: ("the file system is read-only", "choose another place"),
    errno.EACCES: ("its permissions forbid it", "choose another place"),
    errno.EPERM: ("its permissions forbid it", "choose another place"),
    errno.EIO: ("the disk or the network failed", "look at the system's log; choose another place"),
    errno.ESTALE: ("the network file system lost it", "try again"),
}

#: Of these, what keeps a file from being read as well.
_OF_BOTH = (errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE)

_NO_FOLDER = DataError(
    "the working folder is no longer there",
    "relative names have no meaning in it",
    "change to another folder",
)


def _has_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def not_written(path: Path | str, error: OSError, kept: str = "") -> BaseException:
    """Return the error for a file that cannot be written; other failures of the system as they are."""
    if error.errno not in _NOT_WRITTEN:
        return error
    why, fix = _NOT_WRITTEN[error.errno]
    return DataError(f"{path} cannot be written", why, f"{fix}; {kept}" if kept else fix)


class CommandGroup(TyperGroup):
    """The group of all commands: shows every failure in one style and takes ``--debug`` anywhere."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take ``--debug`` out of the arguments wherever it stands before ``--``."""
        limit = args.index("--") if "--" in args else len(args)
        debug = "--debug" in args[:limit]
        ctx.meta["debug"] = debug
        kept = [arg for i, arg in enumerate(args) if i >= limit or arg != "--debug"]
        return super().parse_args(ctx, (["--debug"] if debug else []) + kept)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; its errors become messages and exit statuses."""
        debug = bool(ctx.meta.get("debug"))
        try:
            with shown_warnings(debug):
                result = super().invoke(ctx)
            if (error := taken_unwritten()) is not None:
                raise not_written("standard output", error, "files that were asked for are complete")
            return result
        except (typer.Exit, typer.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:
            if debug:
                traceback.print_exc(file=sys.stderr)
            called = self.commands.get(str(ctx.invoked_subcommand))
            text, status = describe(error, ctx.info_name or "bec-md", called)
            if text:
                put(text, sys.stderr)
            raise typer.Exit(status) from None


def describe(error: BaseException, program: str = "bec-md", called: Any = None) -> tuple[str, int]:
    """Return the message for an error of the command that was called, and the exit status."""
    if isinstance(error, InterruptedByUserError):
        return f"\n{error.what}\n  {error.why}\n  to go on: {error.fix}", error.exit_status
    if isinstance(error, BecMDError):
        return f"error: {in_terms_of_options(str(error), called)}", error.exit_status
    if isinstance(error, KeyboardInterrupt):
        return f"\n{stopped_by(error)}", status_of(error)
    if isinstance(error, BrokenPipeError):
        discard(sys.stdout)
        return "error: the reader of the output went away before all of it was written", 1
    if isinstance(error, OSError) and error.errno in _NOT_WRITTEN:
        if error.filename and error.errno in _OF_BOTH:
            why, _ = _NOT_WRITTEN[error.errno]
            return f"error: {DataError(f'{error.filename} cannot be opened', why, _PLACE)}", 1
        return f"error: {not_written(error.filename or 'an output', error)}", 1
    if isinstance(error, OSError) and error.filename and error.strerror:
        said = error.strerror[:1].lower() + error.strerror[1:]
        return f"error: {DataError(f'{error.filename}: {said}', 'the system refuses it', _PLACE)}", 1
    if isinstance(error, FileNotFoundError) and not error.filename and not _has_folder():
        return f"error: {_NO_FOLDER}", 1
    format_message = getattr(error, "format_message", None)  # typer's own usage errors
    if format_message is not None:
        text, status = str(format_message()), int(getattr(error, "exit_code", 2))
        if not text:  # the help of a group was shown instead of a missing command
            return "", status
        return f"error: {_usage_message(error, text, program)}", status
    if isinstance(error, MemoryError):
        return (
            f"error: {BecMDError('out of memory', str(error) or 'the data do not fit', _SMALLER)}",
            1,
        )
    name = type(error).__name__
    place = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
    detail = (error.strerror if isinstance(error, OSError) else None) or str(error)
    text = " ".join(detail.split()) or "no message"
    return f"error: {name}: {text}{place}\n  run with --debug for the traceback", 1


def _usage_message(error: BaseException, text: str, program: str) -> str:
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", None) or program
    text = re.sub(r"\(Possible options?: (.*)\)$", r"(did you mean \1?)", text.strip())
    text = text.replace("Value error, ", "").rstrip(".")
    choices = re.search(r"'([^']*)' is not one of (.*)$", text)
    if choices is not None:
        close = get_close_matches(choices[1].lower(), re.findall(r"'([^']+)'", choices[2]), n=1)
        text += f" (did you mean {close[0]}?)" if close else ""
    why = "the command line is read before anything else, and nothing of it is guessed"
    return f"{text[:1].lower()}{text[1:]}\n  why: {why}\n  fix: {path} --help lists what there is"


@contextmanager
def shown_warnings(debug: bool) -> Iterator[None]:
    """Print the program's own warnings, each once; those of libraries only with ``--debug``."""
    seen: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        """Print a warning in one line unless it was printed before."""
        text = in_terms_of_options(str(message))
        if text not in seen:
            seen.add(text)
            own = issubclass(category, BecMDWarning)
            put(f"warning: {text}" if own else f"{category.__name__}: {text}", sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("default" if debug else "ignore")
        warnings.simplefilter("always", BecMDWarning)
        warnings.showwarning = show
        yield
