"""Logging: structured, one line an event, to standard error; the standard library's logging goes the same way.

No secret passes (P11): values under telling names, and anything that looks like an Authorization header's value,
are blanked in every line, tracebacks included.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "(not shown)"

_SECRET_NAME = re.compile(r"authorization|credential|token|secret|password|(operator|hub|api)_?keys?", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"\b(Token|Bearer|Basic)(\s+|\s*[=:]\s*)(['\"]?)[!-~]{8,}", re.IGNORECASE)
_SECRET_FIELD = re.compile(r"""((?:b?["'])token["']\s*:\s*["'])[^"']*""", re.IGNORECASE)
_PLAIN = (bool, int, float, type(None))


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Blank what may be a secret; a structlog processor."""
    del logger, method
    return {key: HIDDEN if _SECRET_NAME.search(key) else _clean(value) for key, value in event.items()}


def _clean(value: object) -> object:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {key: HIDDEN if _SECRET_NAME.search(str(key)) else _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    text = value if isinstance(value, str) else str(value)
    return _SECRET_FIELD.sub(rf"\1{HIDDEN}", _SECRET_VALUE.sub(rf"\1\2\3{HIDDEN}", text))


def configure(*, level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Set logging up for this process; call it once, before anything is logged.

    `level`: debug, info, warning or error. `style`: json, console, or auto (console on a terminal, else json).
    """
    out = stream or sys.stderr
    console = style == "console" or (style == "auto" and out.isatty())
    number = getattr(logging, level.upper())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Processor = (
        structlog.dev.ConsoleRenderer(colors=out.isatty())
        if console
        else structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    # A line a request at INFO would be a line a message.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.captureWarnings(True)
