"""Which columns of a LAMMPS dump hold what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bec_md.errors import DataError
from bec_md.structure.names import CHARGE_COLUMNS
from bec_md.trajectory.options import ReadOptions

#: Position columns by preference: (names, scaled by the box, wrapped into it, in words).
_POSITIONS = (
    (("xu", "yu", "zu"), False, False, "xu yu zu (unwrapped)"),
    (("xsu", "ysu", "zsu"), True, False, "xsu ysu zsu (scaled, unwrapped)"),
    (("x", "y", "z"), False, True, "x y z (wrapped)"),
    (("xs", "ys", "zs"), True, True, "xs ys zs (scaled, wrapped)"),
)
_IMAGES = ("ix", "iy", "iz")
_VELOCITIES = ("vx", "vy", "vz")
#: Columns that name elements; labels of types do where they are called so.
_ELEMENTS = ("element", "typelabel")


@dataclass(frozen=True)
class DumpColumns:
    """Columns chosen from a dump; `offset` is the position of a name among the parsed columns `used`."""

    names: tuple[str, ...]
    used: tuple[int, ...]
    offset: Mapping[str, int]
    positions: tuple[str, ...]
    scaled: bool
    kind: str
    images: tuple[str, ...]
    velocities: tuple[str, ...]
    charges: tuple[str, ...]
    element: int | None

    def of(self, names: tuple[str, ...]) -> list[int]:
        """Positions of names among the parsed columns."""
        return [self.offset[name] for name in names]


def choose_columns(names: tuple[str, ...], options: ReadOptions, place: str) -> DumpColumns:
    """Choose the columns to parse.

    Raises
    ------
    DataError
        If ids or positions are missing, or the charges asked for.
    """
    available = set(names)
    if "id" not in available:
        raise DataError(
            f"{place}: no column id among {' '.join(names)}",
            "LAMMPS writes atoms in changing order, so they can only be followed by id",
            "dump the column id",
        )
    found = next((row for row in _POSITIONS if available.issuperset(row[0])), None)
    if found is None:
        raise DataError(
            f"{place}: no positions among {' '.join(names)}",
            "the charges depend on where the atoms are",
            "dump x y z or xu yu zu",
        )
    positions, scaled, wrapped, kind = found
    images = _IMAGES if wrapped and available.issuperset(_IMAGES) else ()
    velocities = _VELOCITIES if options.need_velocities and available.issuperset(_VELOCITIES) else ()
    charges = _charge_columns(names, options.charges_key, place)
    single = [name for name in ("id", "type", "mass") if name in available]
    wanted = (*single, *positions, *images, *velocities, *charges)
    return DumpColumns(
        names=names,
        used=tuple(names.index(name) for name in wanted),
        offset={name: position for position, name in enumerate(wanted)},
        positions=positions,
        scaled=scaled,
        kind=kind + (" with image flags" if images else ""),
        images=images,
        velocities=velocities,
        charges=charges,
        element=next((names.index(name) for name in _ELEMENTS if name in available), None),
    )


def _charge_columns(names: tuple[str, ...], charges_key: str | None, place: str) -> tuple[str, ...]:
    """The nine columns NAME[1] … NAME[9], NAME being the key or f_key (a fix), else a known name."""
    keys = CHARGE_COLUMNS if charges_key is None else (charges_key,)
    for key in keys:
        for base in (key, f"f_{key}", f"c_{key}"):
            columns = tuple(f"{base}[{component}]" for component in range(1, 10))
            if set(names).issuperset(columns):
                return columns
    if charges_key is None:
        return ()
    raise DataError(
        f"{place}: no nine columns {charges_key}[1] … {charges_key}[9] or f_{charges_key}[1] …",
        f"the dump holds {' '.join(names)}",
        "dump f_ID[1] … f_ID[9] (or f_ID[*]) of fix bec, and give its ID as `charges_key`",
    )
