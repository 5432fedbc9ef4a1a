"""`python -m hub.health`: is the hub of this machine or container alive? The exit code says it, a sentence why not.

Loads nothing but the standard library, because it is run every few seconds (the image's HEALTHCHECK).
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping

_WITHIN_SECONDS = 3.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def why_not(environment: Mapping[str, str]) -> str | None:
    """Why the hub with this environment is not alive, as far as its operator port tells; None where it is."""
    host = environment.get("HUB_OPERATOR_HOST") or "127.0.0.1"
    port = environment.get("HUB_OPERATOR_PORT") or "8081"
    connection = http.client.HTTPConnection(_ANY.get(host, host), int(port), timeout=_WITHIN_SECONDS)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"the operator port {port} does not answer: {error}"
    finally:
        connection.close()
    return None if status == 200 else f"the operator port {port} answers {status}"


if __name__ == "__main__":
    sys.exit(why_not(os.environ))
