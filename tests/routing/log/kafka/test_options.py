"""What an aiokafka client is given of an address."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.options import client_options, why_away
from routing.log.port import LogAway, LogUnusable


def test_plain() -> None:
    assert client_options(KafkaAddress.parse("kafka://one,two:9093")) == {
        "bootstrap_servers": ["one:9092", "two:9093"],
        "security_protocol": "PLAINTEXT",
    }


def test_tls_judges_the_certificate_and_the_name() -> None:
    context = client_options(KafkaAddress.parse("kafka://one?security_protocol=SSL"))["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_sasl_with_its_mechanism() -> None:
    plain = KafkaAddress.parse("kafka://hub:s3cret@one?security_protocol=SASL_PLAINTEXT")
    assert client_options(plain) == {
        "bootstrap_servers": ["one:9092"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "hub",
        "sasl_plain_password": "s3cret",
    }
    scram = KafkaAddress.parse("kafka://hub:s3cret@one?security_protocol=SASL_SSL&sasl_mechanism=SCRAM-SHA-512")
    options = client_options(scram)
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert isinstance(options["ssl_context"], ssl.SSLContext)


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    with pytest.raises(LogUnusable, match=f"ssl_cafile={missing}"):
        client_options(KafkaAddress.parse(f"kafka://one?security_protocol=SSL&ssl_cafile={missing}"))


async def test_a_server_that_cannot_be_connected_to_is_named_with_the_reason() -> None:
    reason = await why_away(KafkaAddress.parse("kafka://127.0.0.1:1,[::1]:1"), within_ms=5000)
    assert isinstance(reason, LogAway)
    assert "127.0.0.1:1: " in str(reason)
    assert "::1:1: " in str(reason)


async def test_a_certificate_that_does_not_hold_is_no_matter_of_waiting(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(tmp_path))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        address = KafkaAddress.parse(f"kafka://hub:s3cret@127.0.0.1:{port}?security_protocol=SASL_SSL")
        reason = await why_away(address, within_ms=5000)
    assert isinstance(reason, LogUnusable)
    assert "certificate" in str(reason)
    assert "s3cret" not in str(reason)


def _certificate(folder: Path) -> Path:
    """One that nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    path = folder / "broker.pem"
    path.write_bytes(
        made
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path
