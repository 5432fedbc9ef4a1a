"""The credentials handshake: how a platform registers with the hub, and the hub with a platform (OCPI 2.2.1, 7)."""
