"""Pulling: the hub reads the lists of a platform that it keeps, so that it can serve everybody's."""
