"""Run as a script: compute a current in forked children that are killed with SIGKILL until one ends.

Arguments: trajectory, output, charge stride, seed. Prints the number of kills and the rows found after each.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bec_md.current import compute_current
from bec_md.current.parts import PartsFolder
from tests.current.toy import WavyCharges


def compute(source: str, output: str, stride: int, stop: int | None = None) -> None:
    compute_current(
        source,
        charges=WavyCharges(delay_s=0.0004),
        timestep_fs=2.0,
        output=output,
        batch=5,
        charge_stride=stride,
        commit_seconds=0.0,
        stop=stop,
    )


def rows_stored(output: str) -> int:
    return sum(part.stop - part.start for part in PartsFolder(Path(output)).find())


def main() -> None:
    source, output, stride, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    warnings.simplefilter("ignore")  # positions only: the midpoint rule is what is wanted
    compute(source, output + ".warm-up", stride, stop=10)  # imports happen here, not in every child
    Path(output + ".warm-up").unlink()
    rng = random.Random(seed)
    rows = [0]
    while True:
        child = os.fork()
        if child == 0:
            compute(source, output, stride)
            os._exit(0)
        # killed after a few more chunks, at any moment of the next one
        goal, status = rows[-1] + 5 * rng.randint(1, 10), None
        while status is None and rows_stored(output) < goal:
            done, code = os.waitpid(child, os.WNOHANG)
            status = code if done else None
            time.sleep(0.001)
        if status is not None:
            break
        time.sleep(rng.uniform(0.0, 0.01))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if Path(output).exists():  # it had just finished
            break
        rows.append(rows_stored(output))
    if status is None:
        compute(source, output, stride)
    assert status in (0, None), status
    assert rows == sorted(rows), rows  # nothing that was stored is ever lost
    print(len(rows) - 1, rows[-1])


if __name__ == "__main__":
    main()
