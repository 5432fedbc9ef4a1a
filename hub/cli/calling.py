"""The CLI's way to the running hub: the operator API over HTTP, and a sentence for whatever keeps it from answering."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from pydantic import SecretStr

from hub.demo.folder import demo_folder
from hub.operator.key import find_key, key_file
from hub.settings import Settings

TIMEOUT = 60.0
"""Seconds; a handshake that the operator asks for waits for the other platform."""


class CallFailed(Exception):
    """The hub did not do what was asked; the sentence says why, and what to do."""


class OperatorApi:
    """Calls the operator port of `HUB_OPERATOR_URL` with the key of the settings or of the data folder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base = settings.operator_base

    def get(self, path: str, **query: object) -> Any:
        """The JSON at `path`. Raises CallFailed."""
        return self._call("GET", f"{path}?{urlencode(query)}" if query else path, None)

    def post(self, path: str, body: Any = None) -> Any:
        """The JSON that this POST is answered with. Raises CallFailed."""
        return self._call("POST", path, body)

    def patch(self, path: str, body: Any) -> Any:
        """The JSON that this PATCH is answered with. Raises CallFailed."""
        return self._call("PATCH", path, body)

    def put(self, path: str, body: Any) -> Any:
        """The JSON that this PUT is answered with. Raises CallFailed."""
        return self._call("PUT", path, body)

    def delete(self, path: str, **query: object) -> Any:
        """The JSON that this DELETE is answered with; a list gives its name again and again. Raises CallFailed."""
        return self._call("DELETE", f"{path}?{urlencode(query, doseq=True)}", None)

    def _call(self, method: str, path: str, body: Any) -> Any:
        keys = self._keys()
        status, text = self._request(method, path, body, keys[0] if keys else None)
        for key in keys[1:]:
            if status == 401:
                status, text = self._request(method, path, body, key)
        return self._read(status, text, known=bool(keys))

    def _keys(self) -> list[SecretStr]:
        """The key of these settings; where they name neither key nor folder, that of a demo on this port as well."""
        settings, found = self._settings, [find_key(self._settings)]
        if settings.operator_key is None and "data" not in settings.model_fields_set:
            demo = settings.model_copy(update={"data": demo_folder(settings.operator_port)})
            found.insert(0, find_key(demo))
        return [key for key in found if key is not None]

    def _request(self, method: str, path: str, body: Any, key: SecretStr | None) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key.get_secret_value()}"
        parts = urlsplit(self._base)
        host = parts.hostname or ""
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                host, parts.port, timeout=TIMEOUT, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT)
        try:
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, parts.path.rstrip("/") + path, content, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except ConnectionRefusedError:
            raise CallFailed(
                f"no hub is running at {self._base}: start it with `ocpi-hub serve`, "
                "or say where it is with HUB_OPERATOR_URL"
            ) from None
        except (OSError, http.client.HTTPException) as wrong:
            reason = str(wrong) or type(wrong).__name__
            raise CallFailed(f"the hub at {self._base} cannot be reached: {reason}; see HUB_OPERATOR_URL") from None
        finally:
            connection.close()

    def _read(self, status: int, text: bytes, *, known: bool) -> Any:
        if status == 401:
            raise CallFailed(
                f"the hub at {self._base} does not take the operator key: set HUB_OPERATOR_KEY to its key"
                if known
                else "there is no operator key: set HUB_OPERATOR_KEY, or HUB_DATA so that "
                f"the running hub's {key_file(self._settings).name} is found"
            )
        try:
            content = json.loads(text)
        except ValueError:
            raise CallFailed(
                f"what answers at {self._base} is not the operator port of a hub (HTTP {status}); see HUB_OPERATOR_URL"
            ) from None
        if not 200 <= status < 300:
            error = content.get("error") if isinstance(content, dict) else None
            raise CallFailed(str(error or f"the hub answered HTTP {status}"))
        return content


def party_path(country_code: str, party_id: str, action: str = "") -> str:
    """The path of a party in the operator API."""
    path = f"/api/parties/{quote(country_code, safe='')}/{quote(party_id, safe='')}"
    return f"{path}/{action}" if action else path
