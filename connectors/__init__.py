"""Speaks OCPI on the wire: version modules, the outbound client, the sample parties. Knows no log and no store."""
