"""What an aiokafka client is given of an address."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.options import OptionsUnusable, client_options


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
    with pytest.raises(OptionsUnusable, match=f"ssl_cafile={missing}"):
        client_options(KafkaAddress.parse(f"kafka://one?security_protocol=SSL&ssl_cafile={missing}"))
