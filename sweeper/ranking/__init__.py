"""Trials beside each other: which are best."""
