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
from hub.operator.answers import failure
from hub.operator.deadletters import DeadLettersApi, Sending
from hub.operator.editing import EDITS_AT_ARRIVAL
from hub.operator.exchanges import Exchanges
from hub.operator.operations import Operations
from hub.operator.parties import Parties
from hub.operator.platforms import Platforms
from hub.operator.poison import Poison
from hub.operator.policies import PoliciesApi
from hub.operator.readiness import Readiness
from hub.operator.requests import BadRequest, ChangedMeanwhile
from hub.operator.resync import Resyncs
from hub.operator.watching import OPEN_PATHS, Watching
from hub.registry import Registry
from routing.clock import SystemClock
from routing.log.port import Log, LogError
from routing.store.port import Store, StoreError

logging = structlog.get_logger(__name__)

OPERATIONS = web.AppKey("operations", Operations)
"""What the application of an operator port can do."""

MAX_BODY = 2**20


def operator_app(
    desk: Desk,
    store: Store,
    events: Log,
    key: SecretStr,
    *,
    ready: Callable[[], Readiness],
    metrics: Callable[[], bytes],
) -> web.Application:
    """The application of the operator port. `events` takes what is sent again.

    `key` is what `Authorization: Bearer` must carry, else see `Watching`.
    """
    app = web.Application(middlewares=[_errors, _keyed(key), _fresh(desk.registry)], client_max_size=MAX_BODY)

    watching = Watching(ready, metrics)
    sending = Sending(events, SystemClock(), lambda: desk.registry.directory.revision)
    watching.everything = app[OPERATIONS] = operations = (
        *watching.operations(),
        *Parties(desk, store).operations(),
        *Platforms(desk, store).operations(),
        *AgreementsApi(desk.registry).operations(),
        *PoliciesApi(desk.registry).operations(),
        *Poison(store).operations(),
        *Exchanges(store).operations(),
        *DeadLettersApi(store, sending).operations(),
        *Resyncs(desk.registry, store, events).operations(),
    )
    app.router.add_routes([operation.route() for operation in operations])
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
        logging.warning("operator_call_failed", path=request.path, reason=str(away))
        return failure(503, "the hub's store cannot be used now; repeat it")
    except LogError as away:
        logging.warning("operator_call_failed", path=request.path, reason=str(away))
        return failure(503, "the hub's log cannot be used now; repeat it")
    except (UnusableApi, UnsupportedVersion, NoMatchingEndpoints) as wrong:
        return failure(502, wrong.message)
    except InvalidParameters as wrong:
        return failure(409, wrong.message)
    except OcpiError as wrong:
        return failure(502, wrong.message)
    except Exception:
        logging.exception("operator_call_failed", path=request.path)
        return failure(500, "a defect of the hub; its logging says more")
