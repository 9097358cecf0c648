"""What a sweep wants to be told of its trials beside its objectives: for its constraints and the axes of its map."""

from __future__ import annotations

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from sweeper.search import constraints

SAIL = "sweeper.sail.sampler.SAILSampler"  # the `_target_` of the sampler that fills a map


def names() -> set[str]:
    """Of the sweep that runs here; none outside of one."""
    config = HydraConfig.instance().cfg
    if config is None:
        return set()
    lines = OmegaConf.select(config, "hydra.sweeper.constraints")
    return {*axes(config), *(constraint.name for constraint in constraints.parse(lines))}


def axes(config: DictConfig) -> list[str]:
    """Of the map that the sampler of a composed sweep fills, if it fills one."""
    node = OmegaConf.select(config, "hydra.sweeper.sampler")
    if not isinstance(node, DictConfig) or node.get("_target_") != SAIL:
        return []
    chosen = node.get("axes")
    return [chosen] if isinstance(chosen, str) else list(node.get("descriptors") or () if chosen is None else chosen)
