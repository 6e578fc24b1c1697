"""The command line: ``bec-md``. Every heavy import happens inside the command that needs it."""

from __future__ import annotations


def main() -> None:
    """Run ``bec-md`` with the arguments of the process; the exit status is 0, 1 (data) or 2 (usage)."""
    import signal
    import sys

    try:
        _run()
    except KeyboardInterrupt as stop:  # while the commands are put together, before one takes it
        print("\ninterrupted", file=sys.stderr)
        sys.exit(128 + int(getattr(stop, "number", signal.SIGINT)))


def _run() -> None:
    import os
    import sys

    from bec_md.cli.app import app
    from bec_md.cli.failures import take_signals

    _occupy_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a terminal without Å must not end the program
            reconfigure(errors="replace")
    os.environ["MPLBACKEND"] = "agg"  # figures go into files: no window, whatever the machine is set to
    take_signals()
    app()


def _occupy_closed_streams() -> None:
    """Let closed standard streams (``2>&-``) lead nowhere: a file would take their number, and text."""
    import os
    import sys

    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest that is free
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8")
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")
