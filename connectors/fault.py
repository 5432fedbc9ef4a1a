"""The faults of a sample platform by their names: apart from what plays them, as the CLI names them in its help."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Each name is what `--fault` and the control endpoint take."""

    SLOW = "slow"
    HANG = "hang"
    RESET = "reset"
    HTML = "html"
    HTTP_500 = "500"
    HTTP_429 = "429"
    OFFLINE = "offline"
    TRUNCATE = "truncate"
    EMPTY = "empty"
    HTTP_204 = "204"
    NO_STATUS_CODE = "no_status_code"
    HUGE = "huge"
    REDIRECT_307 = "redirect307"
    REDIRECT_308 = "redirect308"
    REDIRECT_OTHER = "redirect_other"
    HTTP_401 = "http401"
    HTTP_403 = "http403"
    NOT_JSON = "not_json"
    CANNED = "canned"
