"""Label thermally displaced crystals with a universal network: the data to which `fit.py` fits a potential.

    python sample.py srtio3.xyz --repeat 2 2 2 --frames 160 --output frames.xyz
    python sample.py --relabel md.xyz --output more.xyz       # energies and forces of given configurations

`bec_md.dynamics.sampling` says how. Needs `pip install sevenn==0.13.0` (weights included); a 40-atom frame
takes 0.2 s on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import ase.io

from bec_md.dynamics.labels import Labels
from bec_md.dynamics.sampling import labeled_frames


def network(name: str) -> Any:
    """ASE calculator of a universal network: a SevenNet name ("7net-0"), or "chgnet"."""
    if name == "chgnet":
        from chgnet.model.dynamics import CHGNetCalculator

        return CHGNetCalculator(use_device="cpu", on_isolated_atoms="ignore")
    from sevenn.calculator import SevenNetCalculator

    model, _, modal = name.partition(":")
    return SevenNetCalculator(model, modal=modal or None, device="cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("structures", type=Path, nargs="*")
    parser.add_argument("--repeat", type=int, nargs=3, default=(2, 2, 2))
    parser.add_argument("--frames", type=int, default=160, help="of each structure")
    parser.add_argument("--temperatures", type=float, nargs=2, default=(50.0, 900.0), help="range in K")
    parser.add_argument("--strain", type=float, default=0.004, help="standard deviation")
    parser.add_argument("--floor", type=float, default=60.0, help="lowest frequency in cm⁻¹")
    parser.add_argument("--relabel", type=Path, help="label these configurations instead")
    parser.add_argument("--network", default="7net-0")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()

    label = Labels(network(options.network))
    if options.relabel:
        for atoms in ase.io.iread(options.relabel):
            ase.io.write(options.output, label([atoms]), format="extxyz", append=True)
        return
    for path in options.structures:
        for atoms in labeled_frames(
            ase.io.read(path),
            tuple(options.repeat),
            label,
            options.frames,
            temperatures_k=tuple(options.temperatures),
            strain=options.strain,
            floor_cm=options.floor,
            seed=options.seed,
        ):
            ase.io.write(options.output, atoms, format="extxyz", append=True)


if __name__ == "__main__":
    main()
