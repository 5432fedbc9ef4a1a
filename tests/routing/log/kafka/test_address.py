"""The URL of a Kafka cluster: what it says, and the sentence for each way in which it is wrong."""

from __future__ import annotations

import pytest

from routing.log.kafka import KafkaAddress

SASL = "kafka://hub:s3cret%40%3A%2F@one:9092"


def test_servers_and_nothing_else_is_plaintext() -> None:
    address = KafkaAddress.parse("kafka://one:9092,two:9093")
    assert address == KafkaAddress(("one:9092", "two:9093"))
    assert address.security_protocol == "PLAINTEXT"
    assert not address.tls
    assert not address.sasl


def test_a_port_left_out_is_kafkas_own() -> None:
    assert KafkaAddress.parse("kafka://one,[::1],[fe80::1]:19092/").servers == (
        "one:9092",
        "[::1]:9092",
        "[fe80::1]:19092",
    )


def test_the_prefix_stands_before_topics_and_groups() -> None:
    address = KafkaAddress.parse("kafka://one:9092?prefix=blue.")
    assert address.topic("ocpi.cdrs") == "blue.ocpi.cdrs"
    assert address.group("ocpi-hub.routing") == "blue.ocpi-hub.routing"


def test_tls_and_sasl() -> None:
    address = KafkaAddress.parse(
        f"{SASL}?security_protocol=sasl_ssl&sasl_mechanism=scram-sha-512"
        "&ssl_cafile=/etc/ca.pem&ssl_certfile=/etc/hub.pem&ssl_keyfile=/etc/hub.key"
    )
    assert address == KafkaAddress(
        ("one:9092",),
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        ssl_cafile="/etc/ca.pem",
        ssl_certfile="/etc/hub.pem",
        ssl_keyfile="/etc/hub.key",
        username="hub",
        password="s3cret@:/",
    )
    assert address.tls
    assert address.sasl


def test_a_cluster_of_one_is_said() -> None:
    assert not KafkaAddress.parse("kafka://one").single_node
    assert not KafkaAddress.parse("kafka://one?single_node=false").single_node
    assert KafkaAddress.parse("kafka://one?single_node=True").single_node


def test_credentials_are_never_shown() -> None:
    address = KafkaAddress.parse(f"{SASL}?security_protocol=SASL_SSL")
    for text in (repr(address), str(address), f"{address}"):
        assert "s3cret" not in text
        assert "hub" not in text
    assert str(address) == "kafka://one:9092"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("amqp://one", "does not begin with kafka://"),
        ("kafka:one", "does not begin with kafka://"),
        ("kafka://", "no server"),
        ("kafka://one:9092,", "no server"),
        ("kafka://one:0", "between 1 and 65535"),
        ("kafka://one:65536", "between 1 and 65535"),
        ("kafka://one:port", "between 1 and 65535"),
        ("kafka://one/topic", "has a path"),
        ("kafka://one#two", "%23"),
        ("kafka://hub@one?security_protocol=SASL_SSL", "user:password"),
        ("kafka://hub:@one?security_protocol=SASL_SSL", "user:password"),
        (SASL, "ask for security_protocol=SASL_SSL"),
        ("kafka://one?security_protocol=SASL_SSL", "asks for kafka://user:password@"),
        ("kafka://one?sasl_mechanism=PLAIN", "asks for security_protocol"),
        ("kafka://one?security_protocol=TLS", "one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL, not TLS"),
        (f"{SASL}?security_protocol=SASL_SSL&sasl_mechanism=GSSAPI", "one of PLAIN, SCRAM-SHA-256"),
        ("kafka://one?ssl_cafile=x", "ask for security_protocol=SSL"),
        ("kafka://one?security_protocol=SSL&ssl_keyfile=x", "asks for its ssl_certfile"),
        ("kafka://one?linger_ms=5", "no option linger_ms; there are security_protocol,"),
        ("kafka://one?prefix=a&prefix=b", "stands twice"),
        ("kafka://one?single_node=perhaps", "single_node is one of true, false, not perhaps"),
        ("kafka://one?prefix", "option=value"),
        ("kafka://one?prefix=", "prefix is empty"),
        ("kafka://one?prefix=a/b", "letters, digits"),
    ],
)
def test_what_is_wrong_is_said_without_the_secret(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^.+$") as error:
        KafkaAddress.parse(url)
    assert sentence in str(error.value)
    assert "s3cret" not in str(error.value)
