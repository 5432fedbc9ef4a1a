"""Flows over real HTTP: the hub as a process of its own, and sample parties around it."""
