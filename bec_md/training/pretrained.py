"""Starting points: a new network, or a trained one prepared for new levels of theory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md.errors import UsageError
from bec_md.training.config import Finetune, unknown_key_message

if TYPE_CHECKING:
    from bec_md.network.config import NetworkConfig, ReadoutConfig
    from bec_md.network.network import Network


def make_network_config(
    given: Mapping[str, Any], *, elements: Sequence[int], levels: Sequence[str]
) -> NetworkConfig:
    """Complete the section ``network`` with the elements and levels of the data and check it.

    Raises
    ------
    UsageError
        For unknown keys (with a suggestion) and values out of range.
    """
    from pydantic import ValidationError

    from bec_md.network.config import NetworkConfig, upgraded

    given = upgraded(given)
    for key in given:
        if key not in NetworkConfig.model_fields:
            raise UsageError(
                unknown_key_message(str(key), list(NetworkConfig.model_fields), "the section 'network'"),
                "a key that is ignored silently would train another network than the one described",
                "correct the configuration",
            )
    try:
        config = NetworkConfig.model_validate({"elements": elements, "levels": levels, **given})
    except ValidationError as error:
        parts = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UsageError(
            f"section 'network': {parts}", "no such network can be built", "correct it"
        ) from None
    missing = sorted(set(elements) - set(config.elements))
    lacking = sorted(set(levels) - set(config.levels))
    if missing or lacking:
        raise UsageError(
            f"section 'network' lacks elements {missing} and levels {lacking} of the data",
            "every atom and every label needs its embedding",
            "leave elements and levels out of the section: they are taken from the data",
        )
    return config


def load_pretrained(
    finetune: Finetune, *, elements: Sequence[int], levels: Sequence[str], config_folder: Path
) -> tuple[Network, bool]:
    """Load the network to start from, add the levels of theory that it does not know, change its read-outs.

    Returns
    -------
    network, new
        The network, and whether the read-out that gives Z* is new, or has other oxidation numbers: then it
        keeps the elements of the data alone (and those that have such numbers), since of the others the new
        read-out would know nothing.

    Raises
    ------
    UsageError
        If the network does not know all elements of the data.
    """
    from ase.data import atomic_numbers

    from bec_md.network.model_file import load_network
    from bec_md.network.registry import model_beside

    network = load_network(model_beside(finetune.model, config_folder))
    missing = sorted(set(elements) - set(network.config.elements))
    if missing:
        raise UsageError(
            f"{finetune.model!r} does not know the elements with atomic numbers {missing}",
            "their embeddings were never trained",
            "start from a model with these elements, or train from scratch (leave out finetune)",
        )
    network = extend_levels(network, levels, like=finetune.level_like)
    if finetune.readouts is None:
        return network, False
    before = network.config.charges_from
    new = all(
        (item.name, item.oxidation_numbers) != (before.name, before.oxidation_numbers)
        for item in finetune.readouts
    )
    numbered = {atomic_numbers.get(s) for item in finetune.readouts for s in item.oxidation_numbers or ()}
    kept = [z for z in network.config.elements if z in {*elements, *numbered}]
    return with_readouts(with_elements(network, kept) if new else network, finetune.readouts), new


def with_elements(network: Network, elements: Sequence[int]) -> Network:
    """Return the network with only these of its elements."""
    import torch

    known = network.config.elements
    rows = [known.index(number) for number in elements]
    smaller = type(network)(network.config.model_copy(update={"elements": tuple(elements)}))
    before = dict(network.named_parameters())
    with torch.no_grad():
        for name, parameter in smaller.named_parameters():
            per_element = name == "element" or name.endswith("reference_charge")
            parameter.copy_(before[name][rows] if per_element else before[name])
    return smaller


def with_readouts(network: Network, readouts: Sequence[ReadoutConfig]) -> Network:
    """Return the network with these read-outs; weights that it did not have before are random.

    Members of an ensemble of another size begin near the mean of the earlier ones.

    Raises
    ------
    UsageError
        If these read-outs do not make a network.
    """
    import torch
    from pydantic import ValidationError

    from bec_md.network.config import NetworkConfig
    from bec_md.network.network import Network
    from bec_md.network.readouts.dipole import SPREAD

    if network.config.readouts == tuple(readouts):
        return network
    try:
        config = NetworkConfig(**dict(network.config) | {"readouts": tuple(readouts)})
    except ValidationError as error:
        text = "; ".join(str(item["msg"]) for item in error.errors())
        raise UsageError(
            f"section 'finetune', readouts: {text}", "no such network can be built", "correct it"
        ) from None
    other = Network(config)
    known = dict(network.named_parameters())
    with torch.no_grad():
        for name, parameter in other.named_parameters():
            before = known.get(name)
            if before is not None and before.shape == parameter.shape:
                parameter.copy_(before)
            elif before is not None:  # members are the last dimension
                mean = before.mean(dim=-1, keepdim=True)
                parameter.copy_(mean + SPREAD * mean.std() * torch.randn_like(parameter))
    return other


def extend_levels(network: Network, levels: Sequence[str], *, like: str | None = None) -> Network:
    """Return a network that knows `levels` too; new ones start as copies of the level `like`.

    Raises
    ------
    UsageError
        If `like` is not a level of the network.
    """
    import torch

    known = network.config.levels
    new = [level for level in levels if level not in known]
    if like is not None and like not in known:
        raise UsageError(
            f"level_like: {like!r} is not among {', '.join(known)}",
            "a new level of theory starts from a known one",
            "name one of them",
        )
    if not new:
        return network
    row = known.index(like) if like is not None else 0
    config = network.config.model_copy(update={"levels": (*known, *new)})
    extended = type(network)(config)
    old = dict(network.named_parameters())
    with torch.no_grad():
        for name, parameter in extended.named_parameters():
            source = old[name]
            if parameter.shape == source.shape:
                parameter.copy_(source)
            else:  # one row per level
                parameter[: len(known)] = source
                parameter[len(known) :] = source[row]
    return extended
