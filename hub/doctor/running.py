"""The running hub: does it answer, is it ready, does it take the key, and can parties reach it by its public URL?"""

from __future__ import annotations

import json

from prometheus_client.parser import text_string_to_metric_families

from hub.cli.calling import CallFailed, OperatorApi
from hub.doctor.engines import clock
from hub.doctor.fetching import Fetched, NotFetched, fetch
from hub.doctor.finding import Finding, right, unknown, warning, wrong
from hub.gauges import SKEW
from hub.settings import Settings, SettingsError

HUB, KEY, URL = "hub", "operator key", "public URL"


def hub(settings: Settings) -> tuple[bool, list[Finding]]:
    """Whether a hub answers on the operator port, and what was found of it."""
    base = settings.operator_base
    try:
        ready = fetch(f"{base}/readyz")
        reasons = json.loads(ready.body)["reasons"]
        page = fetch(f"{base}/metrics").body.decode("utf-8", "replace")
    except NotFetched as error:
        do = "start it (`ocpi-hub serve`), or say where it is with HUB_OPERATOR_URL"
        return False, [warning(HUB, f"no hub answers at {base}: {error}", do)]
    except (ValueError, KeyError, TypeError):
        return False, [wrong(HUB, f"what answers at {base} is no hub", "mend HUB_OPERATOR_URL or HUB_OPERATOR_PORT")]
    do = "it recovers by itself once that is mended"
    found = [wrong(HUB, f"it is not ready: {reason}", do) for reason in reasons]
    if ready.status == 200:
        found = [right(HUB, f"it answers at {base} and is ready")]
        found += [warning(HUB, reason, "nothing is kept from working by it") for reason in reasons]
    return True, [*found, _key(settings), *_skew(page)]


def _key(settings: Settings) -> Finding:
    try:
        OperatorApi(settings).get("/api/parties", limit=1)
    except CallFailed as error:
        return wrong(KEY, str(error), "take the key of the running hub")
    except SettingsError as error:
        return wrong(KEY, str(error), "run this as the user that the hub runs as, or set HUB_OPERATOR_KEY")
    return right(KEY, "the hub takes it")


def _skew(page: str) -> list[Finding]:
    for family in text_string_to_metric_families(page):
        if family.name == SKEW.name:
            return [clock("the log", sample.value) for sample in family.samples[:1]]
    return []


def public_url(settings: Settings, *, running: bool) -> Finding:
    """Whether the hub is found by the URL that parties are given, from here at least."""
    url = settings.versions_url
    try:
        answer = fetch(url)
    except NotFetched as error:
        if not running:
            return unknown(URL, f"{url}: {error}; no hub runs that could answer")
        return wrong(URL, f"{url}: {error}", error.do)
    if _is_a_hub(answer):
        return right(URL, f"a hub answers at {url}")
    said = f"HTTP {answer.status} at {url} is not the answer of a hub to a call without a credential"
    return wrong(URL, said, "see that the proxy passes /ocpi on as it is, to HUB_PORT")


def _is_a_hub(answer: Fetched) -> bool:
    try:
        return answer.status == 401 and isinstance(json.loads(answer.body)["status_code"], int)
    except (ValueError, KeyError, TypeError):
        return False
