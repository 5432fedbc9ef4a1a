"""The operator port: what is open to whoever reaches it, and what needs the key."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from hmac import compare_digest

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import SecretStr

from connectors.errors import (
    EngineAway,
    InvalidParameters,
    NoMatchingEndpoints,
    OcpiError,
    UnsupportedVersion,
    UnusableApi,
)
from hub.onboarding.desk import Desk
from hub.operator.agreements import AgreementsApi
from hub.operator.answers import answer, failure
from hub.operator.api import EDITS_AT_ARRIVAL, Api
from hub.operator.poison import Poison
from hub.operator.readiness import Readiness
from hub.operator.requests import BadRequest, ChangedMeanwhile
from hub.registry import Registry
from routing.store.port import Store, StoreError

log = structlog.get_logger(__name__)

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
MAX_BODY = 2**20
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def operator_app(
    desk: Desk, store: Store, key: SecretStr, *, ready: Callable[[], Readiness], metrics: Callable[[], bytes]
) -> web.Application:
    """The application of the operator port.

    `key` is what `Authorization: Bearer` must carry. `ready` is asked at each /readyz; `metrics` gives the page of
    /metrics in Prometheus' text format.
    """
    app = web.Application(middlewares=[_errors, _keyed(key), _fresh(desk.registry)], client_max_size=MAX_BODY)

    async def healthz(_: web.Request) -> web.Response:
        return answer({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        now = ready()
        return answer({"ready": now.ready, "reasons": now.reasons}, status=200 if now.ready else 503)

    async def page(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": METRICS_TYPE})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", page)
    app.router.add_routes(Api(desk, store).routes())
    app.router.add_routes(AgreementsApi(desk.registry).routes())
    app.router.add_routes(Poison(store).routes())
    return app


def _keyed(key: SecretStr) -> Middleware:
    expected = key.get_secret_value().encode()

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in OPEN_PATHS:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            right = compare_digest(given.strip().encode("utf-8", "surrogateescape"), expected)
            if scheme.lower() != "bearer" or not right:
                return failure(401, "the operator key is missing or wrong: send it as Authorization: Bearer KEY")
        return await handler(request)

    return middleware


def _fresh(registry: Registry) -> Middleware:
    """What another process did a moment ago is known here too, whoever of several is asked."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in OPEN_PATHS:
            request[EDITS_AT_ARRIVAL] = registry.edits
            with suppress(StoreError):  # what only reads goes on from what is known
                await registry.refresh()
        return await handler(request)

    return middleware


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return failure(404, f"there is nothing at {request.path}")
    except web.HTTPMethodNotAllowed as wrong:
        allowed = ", ".join(sorted(wrong.allowed_methods))
        return failure(
            405, f"{request.method} is not a method of {request.path}; it has {allowed}", headers={"Allow": allowed}
        )
    except web.HTTPException as wrong:
        return failure(wrong.status, wrong.reason)
    except BadRequest as wrong:
        return failure(400, str(wrong))
    except ChangedMeanwhile as lost:
        return failure(409, str(lost), revision=lost.revision)
    except (EngineAway, StoreError) as away:
        log.warning("operator_call_failed", path=request.path, reason=str(away))
        return failure(503, "the hub's store cannot be used now; repeat it")
    except (UnusableApi, UnsupportedVersion, NoMatchingEndpoints) as wrong:
        return failure(502, wrong.message)
    except InvalidParameters as wrong:
        return failure(409, wrong.message)
    except OcpiError as wrong:
        return failure(502, wrong.message)
    except Exception:
        log.exception("operator_call_failed", path=request.path)
        return failure(500, "a defect of the hub; its logging says more")
