"""Where a Kafka cluster is and how to speak to it, as one URL says it.

    kafka://[user:password@]host:port[,host:port...][?option=value&...]

Options: `security_protocol`, `sasl_mechanism`, `ssl_cafile`, `ssl_certfile`, `ssl_keyfile`, `prefix`, `single_node`.
User and password are those of SASL, percent-encoded where they hold more than letters and digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote

SCHEME: Final = "kafka"
_PORT: Final = 9092
_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_OPTIONS: Final = (
    "security_protocol", "sasl_mechanism", "ssl_cafile", "ssl_certfile", "ssl_keyfile", "prefix", "single_node",
)  # fmt: skip
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{0,100}")
_HOST: Final = re.compile(r"\[[0-9A-Fa-f:.%]+\]|[^\[\]:/@\s]+")


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """`servers` are host:port, to begin with; `prefix` stands before every name of a topic and a group.

    `single_node` says that the cluster is one machine, and that its loss is accepted: nothing is replicated.
    What SASL needs to know is never shown. The files are paths, "" for none.
    """

    servers: tuple[str, ...]
    prefix: str = ""
    single_node: bool = False
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = ""
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def tls(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")

    @classmethod
    def parse(cls, url: str) -> KafkaAddress:
        """Raises ValueError with a sentence that says what to mend and repeats no secret."""
        scheme, separator, rest = url.partition("://")
        if scheme.lower() != SCHEME or not separator:
            raise ValueError("the log's address does not begin with kafka://")
        rest, _, query = rest.partition("?")
        if "#" in rest or "#" in query:
            raise ValueError("a # in the log's address is written %23")
        authority, slash, path = rest.partition("/")
        if slash and path:
            raise ValueError("the log's address has a path; what comes after the servers is ?option=value")
        credentials, at, hosts = authority.rpartition("@")
        username, colon, password = credentials.partition(":")
        if at and not (username and colon and password):
            raise ValueError("before the @ of the log's address stands user:password, neither of them empty")
        options = _options(query)
        address = cls(
            servers=tuple(_server(host) for host in hosts.split(",")),
            username=unquote(username),
            password=unquote(password),
            single_node=options.pop("single_node", "false") == "true",
            **options,
        )
        address._agree()
        return address

    def topic(self, name: str) -> str:
        """The topic as the cluster knows it."""
        return self.prefix + name

    def group(self, name: str) -> str:
        """The consumer group as the cluster knows it."""
        return self.prefix + name

    def __str__(self) -> str:
        return f"{SCHEME}://{','.join(self.servers)}"

    def _agree(self) -> None:
        if self.sasl and not self.username:
            raise ValueError(f"security_protocol={self.security_protocol} asks for kafka://user:password@host:port")
        if self.username and not self.sasl:
            raise ValueError("a user and password ask for security_protocol=SASL_SSL (or SASL_PLAINTEXT)")
        if self.sasl_mechanism and not self.sasl:
            raise ValueError("sasl_mechanism asks for security_protocol=SASL_SSL (or SASL_PLAINTEXT)")
        if (self.ssl_cafile or self.ssl_certfile or self.ssl_keyfile) and not self.tls:
            raise ValueError("ssl_cafile, ssl_certfile and ssl_keyfile ask for security_protocol=SSL (or SASL_SSL)")
        if self.ssl_keyfile and not self.ssl_certfile:
            raise ValueError("ssl_keyfile asks for its ssl_certfile")


def _options(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise ValueError("what follows the ? of the log's address is option=value, joined by &") from None
    options: dict[str, str] = {}
    for name, value in pairs:
        if name not in _OPTIONS:
            raise ValueError(f"the log's address has no option {name}; there are {', '.join(_OPTIONS)}")
        if name in options:
            raise ValueError(f"{name} stands twice in the log's address")
        if not value:
            raise ValueError(f"{name} is empty in the log's address")
        options[name] = value
    if "security_protocol" in options:
        options["security_protocol"] = _one_of("security_protocol", options["security_protocol"], _PROTOCOLS)
    if "sasl_mechanism" in options:
        options["sasl_mechanism"] = _one_of("sasl_mechanism", options["sasl_mechanism"], _MECHANISMS)
    if "single_node" in options:
        options["single_node"] = _one_of("single_node", options["single_node"], ("true", "false"))
    if not _PREFIX.fullmatch(options.get("prefix", "")):
        raise ValueError("prefix is at most 100 letters, digits, dots, dashes and underscores")
    return options


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    for one in allowed:
        if value.lower() == one.lower():
            return one
    raise ValueError(f"{name} is one of {', '.join(allowed)}, not {value}")


def _server(text: str) -> str:
    match = _HOST.match(text)
    if match is None:
        raise ValueError("the log's address has no server; it is kafka://host:port[,host:port]")
    port = text[match.end() :]
    if not port:
        return f"{match.group()}:{_PORT}"
    if not re.fullmatch(r":[0-9]{1,5}", port) or not 0 < int(port[1:]) < 65536:
        raise ValueError(f"the server {match.group()} of the log's address needs a port between 1 and 65535")
    return text
