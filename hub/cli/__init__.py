"""The command `ocpi-hub`."""
