"""What every aiokafka client is given to reach the cluster of an address, and why it cannot be reached by that."""

from __future__ import annotations

import os
from ssl import SSLCertVerificationError, SSLError
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.helpers import create_ssl_context

from routing.log.kafka.address import KafkaAddress
from routing.log.port import LogAway, LogError, LogUnusable

_NO = (SSLCertVerificationError, AuthenticationFailedError, SaslAuthenticationFailed, UnsupportedSaslMechanismError)


def client_options(address: KafkaAddress) -> dict[str, Any]:
    """Keyword arguments of a producer, consumer or admin client. Raises LogUnusable."""
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
            raise LogUnusable(f"the TLS files of the log's address cannot be used ({files}): {error}") from error
    if address.sasl:
        options["sasl_mechanism"] = address.sasl_mechanism or "PLAIN"
        options["sasl_plain_username"] = address.username
        options["sasl_plain_password"] = address.password
    return options


async def why_away(address: KafkaAddress, *, within_ms: int) -> LogError:
    """Why none of its servers takes a connection, which aiokafka's clients do not tell: each is tried once more.

    LogUnusable where one says no to what the address says (TLS, SASL), LogAway else.
    """
    options = client_options(address)
    reasons: list[str] = []
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers")):
        try:
            connection = await create_conn(host, port, request_timeout_ms=within_ms, **options)
        except _NO as error:
            return LogUnusable(f"Kafka at {host}:{port} says no: {words(error)}")
        except TimeoutError:
            reasons.append(f"{host}:{port} does not answer")
        except (OSError, KafkaError, RuntimeError) as error:  # uvloop's word for a connection that was reset
            reasons.append(f"{host}:{port}: {words(error)}")
        else:
            connection.close()
            reasons.append(f"{host}:{port} answers again")
    return LogAway(f"Kafka cannot be reached ({'; '.join(reasons)})")


def words(error: BaseException) -> str:
    """What an error of aiokafka says, without the names of its classes where it says more than these."""
    if isinstance(error, SSLError):
        return str(error)
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
    text = str(error.args[0]) if error.args else ""
    return text or getattr(error, "description", "") or type(error).__name__
