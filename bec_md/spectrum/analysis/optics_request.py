"""What is asked of a spectrum beyond the usual functions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from bec_md.errors import UsageError
from bec_md.options import Options


@dataclass(frozen=True)
class OpticsRequest(Options):
    """Further optical functions.

    Parameters
    ----------
    directions
        Directions along which all functions are wanted, as `to_direction` reads them.
    angle_deg
        Angle of incidence of the reflectance of a half-space, and of a slab.
    polarization
        "s" or "p"; both by default.
    surface
        Direction of the surface normal of a crystal; without it the isotropic average of ε is used.
    thickness_um
        Thickness of a free-standing slab in µm.
    powder
        Mean absorption and reflectance of randomly oriented grains larger than the wavelength.
    """

    of: ClassVar[str] = "an optical measurement"

    directions: tuple[str, ...] = ()
    angle_deg: float | None = None
    polarization: str | None = None
    surface: str | None = None
    thickness_um: float | None = None
    powder: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for."""
        return self == OpticsRequest()

    @property
    def needs_eps_inf(self) -> bool:
        """Whether ε_∞ is needed."""
        return self.angle_deg is not None or self.thickness_um is not None or self.powder

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises
        ------
        UsageError
            For an angle, a thickness or a direction that is none, or options without their partner.
        """
        import numpy as np

        from bec_md.spectrum.response.direction import to_direction

        for text in (*self.directions, *([] if self.surface is None else [self.surface])):
            to_direction(text)
        if self.surface is not None and np.linalg.matrix_rank(to_direction(self.surface).weight) != 1:
            raise UsageError(
                f"`surface={self.surface}`",
                "a surface has one normal",
                "give x, y, z or three components",
            )
        if self.angle_deg is not None and not 0.0 <= self.angle_deg < 90.0:
            raise UsageError(
                f"`angle_deg={self.angle_deg:g}`",
                "the angle of incidence is counted from the surface normal",
                "give an angle from 0 to below 90",
            )
        if self.thickness_um is not None and not 0.0 < self.thickness_um < np.inf:
            raise UsageError(
                f"`thickness_um={self.thickness_um:g}`",
                "a slab is thicker than nothing, and has a back",
                "give its thickness in µm, e.g. 5, or `angle_deg=0` for a half-space",
            )
        reflecting = self.angle_deg is not None or self.thickness_um is not None
        for name, value in (("polarization", self.polarization), ("surface", self.surface)):
            if value is not None and not reflecting:
                raise UsageError(
                    f"`{name}={value}` alone",
                    "it says how a surface is seen, and none is asked for",
                    "add `angle_deg` or `thickness_um`",
                )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)
