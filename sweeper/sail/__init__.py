"""Surrogate-assisted illumination (SAIL): the best network for each size and speed, from few trainings."""
