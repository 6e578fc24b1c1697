"""What an engine is asked for, and how its answers are shaped."""

from __future__ import annotations

from dataclasses import dataclass

from bec_md.arrays import Array

#: Answers by name, for F frames of N atoms, M members (1 where only their mean is asked for) and G groups:
#: ``charges`` (F, M, N, 3, 3) in e, ``eps_inf`` (F, 3, 3), and of a network with a dipole ``polarization``
#: (F, M, 3) in e Å, Σ_i q_i r_i + Σ_j p_j with the positions as given, and ``current`` (F, M, G, 3), e Å/fs.
Answers = dict[str, Array]


@dataclass(frozen=True, slots=True)
class Request:
    """Names of the answers that are wanted.

    Parameters
    ----------
    outputs
        Of ``charges``, ``eps_inf``, ``polarization`` and ``current``.
    members
        Give tensors of every member of the ensemble. Where they are derivatives they cost backward passes for
        each; polarizations and currents always come with all members, which cost nothing.
    velocities
        (F, N, G, 3) Å/fs for the current: those of the atoms of one group each, zero for the others.
    """

    outputs: tuple[str, ...] = ("charges", "eps_inf")
    members: bool = True
    velocities: Array | None = None

    def part(self, frames: slice) -> Request:
        """Return the request for some of the frames."""
        velocities = None if self.velocities is None else self.velocities[frames]
        return Request(self.outputs, self.members, velocities)


TENSORS = Request()
