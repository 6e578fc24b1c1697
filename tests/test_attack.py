"""A share of the hostile inputs of `tests.attack`; all of them are run by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.attack.case import Case
from tests.attack.running import Ending, judge


def test_a_share_of_the_hostile_inputs_ends_as_it_should() -> None:
    command = [sys.executable, "-m", "tests.attack", "--share", "20"]
    done = subprocess.run(
        command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_no_good_ending_is_noticed() -> None:
    case = Case("one", [], {}, "refused")
    good = "error: what\n  why: why\n  fix: fix\n"

    def verdict(status: int, said: str = good, ended: bool = False, after: str = "") -> str:
        return judge(case, Ending(status, 1.0, 900, said, ended), {"t": "1"}, {"t": "1"} | {after: "2"})

    assert verdict(2) == verdict(1, after="t_current.h5") == verdict(1, after="o.partial-7.csv") == ""
    assert verdict(0) == "accepted"
    assert verdict(-11) == "killed by SIGSEGV"
    assert verdict(3) == "exit status 3"
    assert verdict(1, ended=True) == "does not end"
    assert verdict(1, "Traceback (most recent call last):\n") == "traceback"
    assert (
        verdict(1, "error: KeyError: x\n  run with --debug for the traceback") == "refused without a reason"
    )
    assert verdict(1, after="o.csv") == "looks finished: o.csv"
    assert verdict(1, after="t") == "an input was changed"
