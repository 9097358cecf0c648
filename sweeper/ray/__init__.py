"""Slots on the nodes of a Ray cluster: their actors, and how code, data and files reach them and come back."""
