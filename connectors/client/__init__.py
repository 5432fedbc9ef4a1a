"""The outbound HTTP client: the only place where the hub speaks to parties."""

from connectors.client.client import Answer, Client
from connectors.client.guard import Guard
from connectors.client.origins import known, origin_of

__all__ = ["Client", "Answer", "Guard", "origin_of", "known"]
