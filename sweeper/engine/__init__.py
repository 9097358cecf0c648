"""Runs trials: one coordinator, many slots, and whatever can happen to them."""
