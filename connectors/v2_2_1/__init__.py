"""OCPI 2.2.1: its objects, its endpoints, its URL grammar, and what it makes of a body."""
