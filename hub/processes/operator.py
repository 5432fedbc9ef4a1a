"""The operator port of a process: health, readiness, metrics, the API."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from aiohttp import web

from hub.operator.app import operator_app
from hub.operator.key import make_key
from hub.operator.readiness import Readiness
from hub.processes.common import Common
from hub.processes.listening import listening


async def open_operator(
    common: Common, stack: AsyncExitStack, *, ready: Callable[[], Readiness], sockets: Sequence[socket.socket] = ()
) -> None:
    """Listen, on `sockets` where they are given; `stack` ends it.

    Raises CannotServe, and SettingsError where the key cannot be kept.
    """
    settings = common.settings
    key = settings.operator_key or make_key(settings)
    app = operator_app(common.desk, common.store, common.log, key, ready=ready, metrics=common.metrics.page)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    sites: list[web.BaseSite] = [web.SockSite(runner, one) for one in sockets]
    with listening("HUB_OPERATOR_PORT", settings.operator_host, settings.operator_port):
        for site in sites or [web.TCPSite(runner, settings.operator_host, settings.operator_port)]:
            await site.start()
