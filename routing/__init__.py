"""Decides who gets what, and sees that they get it: directory, resolution, log, worker, lanes, object state."""
