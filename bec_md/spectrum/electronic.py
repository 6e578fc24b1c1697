"""ε_∞ of a spectrum: given as numbers, or the mean of what the network predicted along the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.arrays import Array, brief, mean_row
from bec_md.charges.constant import ROUNDED
from bec_md.current.fields import BLOCK_ROWS
from bec_md.errors import UsageError
from bec_md.spectrum.response.symmetric_tensor import parse_tensor

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries

#: Asks for the prediction of the network.
PREDICTED = "model"


def check_eps_inf(value: Any) -> None:
    """Refuse what is neither a tensor nor the word for the prediction.

    Raises
    ------
    UsageError
        With what is accepted.
    """
    if isinstance(value, bool) or (isinstance(value, str) and value != PREDICTED):
        raise UsageError(
            f"`eps_inf={brief(value)}` is not understood",
            "ε_∞ is 1, 3, 6 or 9 numbers, or the mean prediction of the network along the run",
            "give numbers such as `eps_inf=2.4`, or `eps_inf=model` for the prediction of the network",
        )
    if value is not None and not isinstance(value, str):
        least = float(np.linalg.eigvalsh(parse_tensor(value))[0])
        if least < 1.0 - ROUNDED:
            raise UsageError(
                f"`eps_inf` has the principal value {least:g}, below 1",
                "the electronic permittivity of matter is at least that of the vacuum along every direction",
                "give ε_∞ itself, not the susceptibility ε_∞ − 1, six numbers in the order xx yy zz yz xz xy",
            )


def resolve_eps_inf(series: Sequence[CurrentSeries], value: Any) -> tuple[Array | None, str | None]:
    """Return ε_∞ as a symmetric tensor and where it comes from; None if it is not known.

    Parameters
    ----------
    series
        Currents, which carry the predictions.
    value
        Numbers, "model" or None.

    Raises
    ------
    UsageError
        If a prediction is asked for and a current carries none.
    """
    if value is None:
        return None, None
    if not isinstance(value, str):
        return parse_tensor(value), "given"
    means = []
    for item in series:
        if item.eps_inf is None:
            raise UsageError(
                "`eps_inf=model`: the current carries no prediction of ε_∞",
                f"charges ({item.metadata.get('charges', 'of another source')}) are not those of a network "
                "that predicts ε_∞ as well",
                "give numbers such as `eps_inf=2.4` (bec-md born STRUCTURE predicts them), or compute the "
                "current from a trajectory with `charges=model`",
            )
        means.append(mean_row(item.eps_inf, BLOCK_ROWS))
    mean = np.average(means, axis=0, weights=[item.n_frames for item in series])
    made = str(series[0].metadata.get("charges") or "the network")
    return np.asarray(0.5 * (mean + mean.T)), f"predicted by {made}"


def with_eps_inf(
    static: Mapping[str, Array], parameters: Mapping[str, Any], eps_inf: Array
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Static numbers and parameters of a spectrum without ε_∞ when it is given afterwards: ε(0) holds it."""
    routes = ("fluctuation", "kramers_kronig")
    changed = {name: value + eps_inf if name in routes else value for name, value in static.items()}
    facts = {**parameters, "eps_inf_source": "given"}
    for name in ("control_variates_plain", "symmetry_plain"):
        if known := facts.get(name):
            more = {route: (np.asarray(known[route]) + np.diag(eps_inf)).tolist() for route in routes}
            facts[name] = {**known, **more}
    return changed, facts
