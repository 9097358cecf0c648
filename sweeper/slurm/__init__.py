"""Trials as jobs of a cluster's queue, by submitit: what is handed over, what goes to and fro, and how a job ends."""
