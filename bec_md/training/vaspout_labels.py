"""Labels from VASP's vaspout.h5, of a run with LEPSILON or LCALCEPS: tensors of its last structure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.arrays import Array
from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.structure.names import labels_of
from bec_md.structure.species import element_of_potential
from bec_md.training.vasp_output import NO_LABELS, atomic_numbers_of, settings_of
from bec_md.trajectory.readers.hdf5 import open_trajectory_hdf5, rows_of

_CHARGES = ("results/linear_response/born_charges", "results/born_charges/born_charges")
_EPS = ("results/linear_response/electron_dielectric_tensor", "results/dielectric/dielectric_dft")
_STRUCTURES = ("results/positions", "input/poscar")  # the last one, and the first one


def read_vaspout(path: Path) -> list[Frame]:
    """Read tensors, ε_∞ and structure of a vaspout.h5.

    Its tensors are those of vasprun.xml transposed, as Fortran stores them: rows are displacements there, and
    field directions in what is returned.

    Raises
    ------
    DataError
        If the file is damaged or holds no tensors or no structure.
    """
    with open_trajectory_hdf5(path) as file:
        charges = _first(file, _CHARGES)
        place = next((name for name in _STRUCTURES if f"{name}/position_ions" in file), None)
        if charges is None:
            raise DataError(f"{path.name}: no born_charges", *NO_LABELS)
        if place is None:
            raise DataError(f"{path.name}: no structure", f"it is in {_STRUCTURES[0]}", "let VASP finish")
        group, eps = file[place], _first(file, _EPS)
        cell = _numbers(group["lattice_vectors"], path)
        cell *= float(group["scale"][()]) if "scale" in group else 1.0
        positions, tensors = _numbers(group["position_ions"], path), _numbers(charges, path).swapaxes(-1, -2)
        if "direct_coordinates" not in group or bool(group["direct_coordinates"][()]):
            positions = positions @ cell
        kinds = [_text(name) for name in group["ion_types"][()]]
        counts = [int(number) for number in group["number_ion_types"][()]]
        symbols = [kind for kind, n in zip(kinds, counts, strict=True) for _ in range(min(n, len(positions)))]
        if len(symbols) != len(positions) or tensors.shape != (len(positions), 3, 3):
            raise DataError(
                f"{path.name}: tensors {tensors.shape}, {len(positions)} positions, {len(symbols)} elements",
                "they belong together",
                "let VASP finish, or use the OUTCAR",
            )
        tags = dict(_tags(file))
        info, charge = settings_of(tags, list(_types(file, kinds, counts)), len(positions))
        points = file.get("results/electron_eigenvalues/kpoint_coords")
        return [
            Frame(
                positions_ang=positions,
                cell_ang=cell,
                pbc=np.ones(3, dtype=bool),
                numbers=atomic_numbers_of([element_of_potential(symbol) for symbol in symbols], path.name),
                labels=labels_of(tensors, None if eps is None else _numbers(eps, path)),
                total_charge=charge,
                index=0,
                info=info if points is None else info | {"n_k_points": len(points)},
            )
        ]


def _first(file: Any, names: tuple[str, ...]) -> Any:
    """The first of these data sets that is there; versions of VASP differ."""
    return next((file[name] for name in names if name in file), None)


def _numbers(dataset: Any, path: Path) -> Array:
    """The numbers of a data set, if its bytes can hold what it declares."""
    rows_of(dataset, path)
    return np.asarray(dataset[()], dtype=np.float64)


def _text(value: Any) -> str:
    """A value of HDF5 as VASP writes it into its other files."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return " ".join(map(_text, value.tolist())) if isinstance(value, np.ndarray) else str(value).strip()


def _tags(file: Any) -> Iterator[tuple[str, str]]:
    """Settings: the version, the INCAR as text, and what was understood of it."""
    version = file.get("version", {})
    numbers = [_text(version[name][()]) for name in ("major", "minor", "patch") if name in version]
    yield "version", ".".join(numbers)
    if "original/incar/content" in file:
        content = _text(file["original/incar/content"][()])
        lines = (re.split("[#!]", line)[0] for line in content.splitlines())
        for name, value in re.findall(r"(?:^|[\n;])\s*(\w+)\s*=\s*([^\n;]+)", "\n".join(lines)):
            yield name.upper(), value.strip()
    incar = file.get("input/incar", {})
    for name in incar:
        if hasattr(incar[name], "shape") and incar[name].size <= 1000:
            yield name, _text(incar[name][()])


def _types(file: Any, kinds: list[str], counts: list[int]) -> Iterator[list[str]]:
    """Number of atoms, element, mass, valence and potential of each type, as far as the POTCAR tells."""
    content = _text(file["input/potcar/content"][()]) if "input/potcar/content" in file else ""
    potentials = content.split("End of Dataset")
    for index, (kind, count) in enumerate(zip(kinds, counts, strict=True)):
        text = potentials[index] if index < len(potentials) else ""
        found = re.search(r"POMASS\s*=\s*([\d.]+);\s*ZVAL\s*=\s*([\d.]+)", text)
        lexch = re.search(r"LEXCH\s*=\s*(\S+)", text)
        row = [str(count), kind]
        yield [*row, found[1], found[2], lexch[1] if lexch else ""] if found else row
