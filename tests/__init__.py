"""The tests: they mirror the rooms, and tests.sim, tests.chaos and tests.bench are run by `make`."""
