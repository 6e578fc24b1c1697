"""The command line of the attack."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections import Counter
from importlib import import_module
from pathlib import Path
from zlib import crc32

from tests.attack.case import Case
from tests.attack.commands import commands, structures
from tests.attack.formats import formats
from tests.attack.places import changes, places
from tests.attack.running import attack


def cases(folder: Path) -> list[Case]:
    """All of them."""
    found = [*formats(folder), *structures(), *commands(), *places(), *changes()]
    assert len({case.name for case in found}) == len(found)
    return found


def main() -> int:
    """Parse the command line, run, and return 1 if anything did not end well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--share", type=int, default=1, help="run one of n, the same ones on every day")
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
        numbers = [crc32(case.name.encode("utf-8", "surrogateescape")) for case in found]
        chosen = [case for case, number in zip(found, numbers, strict=True) if number % options.share == 0]
        print(f"{len(found)} cases, {len(chosen)} of them run", flush=True)
        tally: Counter[str] = attack(chosen, Path(name), options.show)
    print(dict(tally))
    return int(set(tally) != {"fine"})


if __name__ == "__main__":
    sys.exit(main())
