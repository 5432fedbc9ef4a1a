"""What every aiokafka client is given to reach the cluster of an address: its servers, TLS and SASL."""

from __future__ import annotations

from ssl import SSLError
from typing import Any

from aiokafka.helpers import create_ssl_context

from routing.log.kafka.address import KafkaAddress
from routing.log.port import LogError


class OptionsUnusable(LogError):
    """A file that the address names cannot be used; the sentence says which, and why."""


def client_options(address: KafkaAddress) -> dict[str, Any]:
    """Keyword arguments of a producer, consumer or admin client. Raises OptionsUnusable."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(address.servers),
        "security_protocol": address.security_protocol,
    }
    if address.tls:
        try:
            options["ssl_context"] = create_ssl_context(
                cafile=address.ssl_cafile or None,
                certfile=address.ssl_certfile or None,
                keyfile=address.ssl_keyfile or None,
            )
        except (OSError, SSLError) as error:
            files = ", ".join(
                f"{name}={path}"
                for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
                if (path := getattr(address, name))
            )
            raise OptionsUnusable(f"the TLS files of the log's address cannot be used ({files}): {error}") from error
    if address.sasl:
        options["sasl_mechanism"] = address.sasl_mechanism or "PLAIN"
        options["sasl_plain_username"] = address.username
        options["sasl_plain_password"] = address.password
    return options
