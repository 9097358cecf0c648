"""Trained networks as files for others, and what they cost there."""
