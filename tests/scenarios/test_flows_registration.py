"""Inside the handshake (OCPI 2.2.1, 7.1.1): the receiver reads the other's versions before it answers."""

from __future__ import annotations

from connectors.sample import sample_emsp, wire
from connectors.values import Role
from tests.scenarios.parties import Parties, new_party, party_of
from tests.scenarios.test_routing_headers import legs


async def test_the_hub_reads_versions_and_details_with_the_new_credential_before_it_answers(parties: Parties) -> None:
    emsp = await parties.start(sample_emsp(new_party()))
    invitation = await parties.hub.invite((party_of(emsp), Role.EMSP))
    await emsp.register(invitation.versions_url, invitation.token)
    called = list(emsp.received)  # as it was when the answer came
    assert [(one.method, one.path) for one in called[:2]] == [("GET", "/ocpi/versions"), ("GET", "/ocpi/2.2.1")]
    for one in called[:2]:
        assert set(wire.candidates(one.headers["Authorization"])) & set(emsp.connection.issued)
        assert invitation.token not in wire.candidates(one.headers["Authorization"])
        assert legs(one.headers) == (None, None)
