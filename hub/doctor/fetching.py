"""One GET, and a sentence for whatever keeps it from an answer: each with what to do."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import Final, NamedTuple
from urllib.parse import urlsplit

WITHIN_SECONDS: Final = 5.0


class Fetched(NamedTuple):
    """What was answered."""

    status: int
    body: bytes


class NotFetched(Exception):
    """No answer; `do` says what to do."""

    def __init__(self, found: str, do: str) -> None:
        super().__init__(found)
        self.do = do


def fetch(url: str, *, within: float = WITHIN_SECONDS) -> Fetched:
    """Raises NotFetched. Nothing is followed, and no credential is sent."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=within, context=ssl.create_default_context())
        if secure
        else http.client.HTTPConnection(host, parts.port, timeout=within)
    )
    at = f"{host}:{connection.port}"
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        return Fetched(response.status, response.read(2**20))
    except socket.gaierror:
        raise NotFetched(f"the name {host} is not known", "have it in DNS, or mend the URL") from None
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message or "it cannot be verified"
        raise NotFetched(f"the certificate of {at} is not good: {reason}", "renew it, with its whole chain") from None
    except ssl.SSLError as error:
        do = "see that TLS is spoken there; the hub itself speaks plain HTTP, behind a proxy that has the certificate"
        raise NotFetched(f"{at} speaks no TLS that can be used ({error.reason or 'no handshake'})", do) from None
    except ConnectionRefusedError:
        raise NotFetched(f"{at} refuses connections", "see that something listens there, and mend the URL") from None
    except TimeoutError:
        raise NotFetched(f"{at} does not answer within {within:g} s", "see firewalls and routes on the way") from None
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise NotFetched(f"{at} does not answer as it should: {reason}", "see what listens there") from None
    finally:
        connection.close()
