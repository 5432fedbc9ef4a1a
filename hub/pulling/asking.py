"""One GET of the hub's own from a platform: what it says of itself and of those behind it."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.answers import read_status
from connectors.errors import HubError, NotConnected, OutcomeUnknown
from hub.edge.ports import Outbound, Signs
from routing.directory import Hosted
from routing.outbound import Answered, accept, headers_of


async def get(
    client: Outbound, signs: Signs, to: Hosted, url: str, sent: Mapping[str, str], *, within: float
) -> Answered:
    """As `answer`, where that is a 1xxx. Raises HubError where it answered otherwise."""
    return well(await answer(client, signs, to, url, sent, within=within))


async def answer(
    client: Outbound, signs: Signs, to: Hosted, url: str, sent: Mapping[str, str], *, within: float
) -> Answered:
    """What it answered, whatever it is; a sign of life, or of none. `sent` are the headers, the credential among them.

    Raises NotConnected and OutcomeUnknown, and HubError where that is no answer of OCPI.
    """
    try:
        received = await client.send("GET", url, {**sent, **headers_of(to.platform)}, None, within=within)
    except (NotConnected, OutcomeUnknown):
        signs.failed(to.platform)
        raise
    signs.alive(to.platform)
    return accept(received, to)


def well(answered: Answered) -> Answered:
    """The same, where it is a 1xxx. Raises HubError (it answered otherwise)."""
    if not 1000 <= answered.status_code < 2000:
        status = read_status(answered.body)
        said = (status.status_message if status is not None else None) or "without a status_message"
        raise HubError(f"it answered {answered.status_code}: {said[:200]}")
    return answered
