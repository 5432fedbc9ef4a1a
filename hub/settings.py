"""Every setting of the hub in one class, of which `python -m hub.settings` makes the README's table and .env.example.

A setting is an environment variable, HUB_ and the field's name in upper case. Times in `..._seconds` are seconds,
sizes in `..._bytes` bytes.
"""

from __future__ import annotations

import os
import sys
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from connectors.values import PartyId
from hub.engine_url import EngineUrl, shown
from routing.agreements import Effect

PREFIX = "HUB_"
START, END = "<!-- settings -->", "<!-- /settings -->"

Network = IPv4Network | IPv6Network


class SettingsError(Exception):
    """Wrong settings: one sentence each, naming the variable, what it got and what belongs there."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


def _party(value: Any) -> PartyId:
    return value if isinstance(value, PartyId) else PartyId.parse(str(value))


def _networks(value: Any) -> tuple[Network, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    found = []
    for part in parts:
        if text := str(part).strip():
            try:
                found.append(ip_network(text, strict=False))
            except ValueError:
                raise ValueError(f"{text!r} is not a network; write them as 127.0.0.0/8,::1/128") from None
    return tuple(found)


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("a URL belongs here that begins with http:// or https:// and has no query")
    return value.rstrip("/")


def _log_engine(value: Any) -> EngineUrl:
    url = value if isinstance(value, EngineUrl) else EngineUrl.judged(str(value), ("kafka",))
    if not url.embedded:
        from routing.log.kafka.address import KafkaAddress  # noqa: PLC0415 - who needs no Kafka does not load it

        KafkaAddress.parse(url.get_secret_value())
    return url


def _store_engine(value: Any) -> EngineUrl:
    return value if isinstance(value, EngineUrl) else EngineUrl.judged(str(value), ("mongodb", "mongodb+srv"))


def _user_data() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "ocpi-hub"


Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Url = Annotated[str, AfterValidator(_url)]
LogEngine = Annotated[EngineUrl, NoDecode, PlainValidator(_log_engine)]
StoreEngine = Annotated[EngineUrl, NoDecode, PlainValidator(_store_engine)]


class Settings(BaseSettings):
    """What can be set. Raises pydantic's ValidationError when made; `load` turns that into sentences."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    public_url: Url = Field(
        "http://localhost:8080",
        description="Base of every URL that the hub gives out; the versions URL is this plus `/ocpi/versions`",
    )
    host: str = Field("127.0.0.1", description="Address that the OCPI edge listens on")
    port: Port = Field(8080, description="Port that the OCPI edge listens on")
    operator_host: str = Field("127.0.0.1", description="Address that the operator port listens on")
    operator_port: Port = Field(
        8081,
        description="Operator port: `/healthz`, `/readyz`, `/metrics`, `/openapi.json` without a key, all else with it",
    )
    operator_key: SecretStr | None = Field(
        None,
        description="Key of the operator port; without one `serve` makes it in `HUB_DATA`, mode 0600",
        min_length=16,
    )
    operator_url: Url | None = Field(
        None, description="The CLI's way to the running hub; without one made of `HUB_OPERATOR_HOST` and `_PORT`"
    )
    party: Annotated[PartyId, NoDecode, PlainValidator(_party)] = Field(
        PartyId("NL", "HUB"), description="The hub party, COUNTRY-PARTY"
    )
    name: str = Field("OCPI hub", description="Name in the hub's business details", min_length=1, max_length=100)
    default_agreement: Literal["open", "closed"] = Field(
        "open",
        description="Where no agreement decides: `open`, everybody deals with everybody; `closed`, nobody",
    )
    ask_for_unknown_tokens: bool = Field(
        False, description="Ask every eMSP for a token that is to be authorised and that the hub was not told of"
    )
    serve_incomplete: bool = Field(
        False,
        description="Serve a list of everybody's objects although the hub has not all of somebody's, and say so in it;"
        " without it that is 4000",
    )
    pull: bool = Field(
        True, description="Read the lists of a platform that registered: all that it offers of what the hub keeps"
    )
    pull_daily: bool = Field(
        False, description="Once a day read what changed of every platform's lists since they were read"
    )
    data: Path = Field(
        default_factory=_user_data,
        description="Folder of the embedded engine and of keys made at the first start, kept over restarts",
        json_schema_extra={"shown": "~/.local/share/ocpi-hub"},
    )
    log: LogEngine = Field(
        EngineUrl("embedded"),
        description="Engine of the log: `embedded`, or `kafka://[user:password@]host:port[,host:port][?option=value]`",
    )
    store: StoreEngine = Field(
        EngineUrl("embedded"), description="Engine of the store: `embedded`, or a MongoDB URI (`mongodb://...`)"
    )
    keys: SecretStr | None = Field(
        None,
        description="Keys of what is stored: the first encrypts, all decrypt; without one a file in `HUB_DATA`. "
        "The same in every process of one hub",
    )
    member: str = Field(
        "",
        description="Name of this worker in its Kafka group, the same after each restart and no other process's: "
        "a restart within `HUB_SESSION_SECONDS` then moves no partitions; without one a new name each time",
        pattern=r"^[A-Za-z0-9._-]*$",
        max_length=100,
    )
    session_seconds: Annotated[float, Field(ge=2, le=300)] = Field(
        10, description="After so long without a sign of life the partitions of a worker go to others (Kafka)"
    )
    start_seconds: Seconds = Field(60, description="How long a start waits for its engines before it gives up")
    allow_networks: Annotated[tuple[Network, ...], NoDecode, PlainValidator(_networks)] = Field(
        (), description="Networks, comma separated, where plain http and private addresses are allowed"
    )

    invitation_days: Count = Field(30, description="Days after which an invitation that nobody used ends")
    grace_seconds: Seconds = Field(
        3600,
        description="Longest life of the old credential after PUT credentials, while the new one is not used",
    )
    max_body_bytes: Count = Field(4 * 2**20, description="Largest body that the edge takes; above it 413")
    max_answer_bytes: Count = Field(16 * 2**20, description="Largest answer that is read from a party; above it 4000")
    max_inflight_bytes: Count = Field(
        256 * 2**20, description="Bodies of calls in flight and of their answers that a process holds; above it 429"
    )
    platform_inflight_bytes: Count = Field(64 * 2**20, description="A platform's share of them; above it 429")
    platform_inflight_calls: Count = Field(
        1000, description="Calls in flight of one platform, in a process; above it 429"
    )
    platform_calls_per_second: Count = Field(
        1000, description="Calls a second of one platform, in a process, so many at once too; above it 429"
    )
    header_seconds: Seconds = Field(
        10, description="A connection that has not sent a whole header so long after it was made is closed"
    )
    idle_seconds: Seconds = Field(
        75, description="A connection without a call for so long, or with an answer not read, is closed"
    )
    body_seconds: Seconds = Field(10, description="Over so long a body must keep up 1 KiB/s; slower is 408")
    cdr_days: Count = Field(400, description="Days that the memory of a CDR is kept")
    archive_days: Count = Field(7, description="Days that exchanges are kept to be found")
    archive_bodies: bool = Field(
        False, description="Keep bodies with them, compressed: of pushes, of relays and their answers"
    )
    archive_body_days: Count = Field(2, description="Days that those bodies are kept")
    drain_seconds: Seconds = Field(20, description="How long SIGTERM waits for what is in flight")

    connect_seconds: Seconds = Field(3, description="Deadline of connecting to a party")
    authorize_seconds: Seconds = Field(5, description="Deadline of a real-time authorisation")
    get_seconds: Seconds = Field(10, description="Deadline of a relayed GET of one object")
    list_seconds: Seconds = Field(30, description="Deadline of a relayed GET of a list")
    command_seconds: Seconds = Field(15, description="Deadline of commands, charging profiles and other relays")
    directed_seconds: Seconds = Field(15, description="Deadline of a directed push")
    broadcast_seconds: Seconds = Field(10, description="Deadline of one attempt of a broadcast")
    publish_seconds: Seconds = Field(3, description="How long the edge waits for the log")
    handshake_seconds: Seconds = Field(5, description="Deadline of each call-back of the credentials handshake")

    still_alive_seconds: Seconds = Field(
        300, description="A platform of which nothing was seen for so long is asked whether it is there"
    )
    lane_concurrency: Count = Field(
        8, description="Broadcasts in flight towards one platform at most, a process; fewer while it bears fewer"
    )
    lane_max_waiting: Count = Field(
        20_000, description="Objects waiting in a lane before its platform is marked for resync"
    )
    unsettled_seconds: Seconds = Field(
        30, description="Longest time an event stays unsettled before the slowest is marked"
    )
    undelivered_bytes: Count = Field(64 * 2**20, description="Bodies not delivered that a worker holds before the same")
    unwritten_states: Count = Field(
        10_000, description="States that pushes of sessions left and the store has not taken, before they are 4000"
    )
    unwritten_bytes: Count = Field(32 * 2**20, description="The same by their bytes")

    logging_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged at least")
    logging_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`json`: a line each; `console`: for people; `auto`: console on a terminal, else json"
    )

    @property
    def default_effect(self) -> Effect:
        """What `default_agreement` says, as a rule's effect."""
        return Effect.ALLOW if self.default_agreement == "open" else Effect.DENY

    @property
    def versions_url(self) -> str:
        """What a party is given beside its invitation (OCPI 2.2.1, 6.1)."""
        return f"{self.public_url}/ocpi/versions"

    @property
    def data_folder(self) -> Path:
        return self.data.expanduser()

    @property
    def operator_base(self) -> str:
        """Where the CLI finds the operator port, without a slash at the end."""
        if self.operator_url:
            return self.operator_url
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.operator_host, self.operator_host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.operator_port}"


def load(**given: Any) -> Settings:
    """The settings of this environment, `given` above it. Raises SettingsError."""
    try:
        return Settings(**given)
    except ValidationError as wrong:
        raise SettingsError([_sentence(error) for error in wrong.errors(include_url=False)]) from None


def load_or_exit() -> Settings:
    """The same for a command: wrong settings are said on standard error, and the exit code is 2."""
    try:
        return load()
    except SettingsError as wrong:
        for sentence in wrong.sentences:
            print(sentence, file=sys.stderr)
        raise SystemExit(2) from None


def _sentence(error: Any) -> str:
    field = str(error["loc"][0])
    info = Settings.model_fields[field]
    name = PREFIX + field.upper()
    reason = str(error["msg"]).removeprefix("Value error, ")
    got = "a value that is not shown" if _secret(info) else repr(_shown(info, os.environ.get(name, error.get("input"))))
    if error["type"] != "value_error":
        reason = reason[0].lower() + reason[1:]
    example = "" if (default := _default(info)) == "" else f", for example {name}={default}"
    return f"{name} got {got}: {reason}{example}. {name} is: {info.description}."


def _secret(info: FieldInfo) -> bool:
    return "SecretStr" in str(info.annotation)


def _shown(info: FieldInfo, value: Any) -> Any:
    return shown(str(value)) if info.annotation is EngineUrl else value


def _default(info: FieldInfo) -> str:
    extra = info.json_schema_extra
    if isinstance(extra, dict):
        return str(extra["shown"])
    return "" if info.default is None or info.default == () else str(info.default)


def effective(settings: Settings) -> dict[str, str]:
    """Every variable and its value as it holds now; of a secret only whether it is set."""
    found: dict[str, str] = {}
    for field, info in Settings.model_fields.items():
        value = getattr(settings, field)
        if _secret(info):
            value = "(not set)" if value is None else "(set, not shown)"
        elif isinstance(value, tuple) and not isinstance(value, PartyId):
            value = ",".join(map(str, value))
        found[PREFIX + field.upper()] = "" if value is None else str(value)
    return found


class Described(NamedTuple):
    """One setting as it is told: its variable, its default as one would write it, what it means."""

    name: str
    default: str
    meaning: str


def described() -> list[Described]:
    """Every setting, in the order of the class."""
    fields = Settings.model_fields.items()
    return [Described(PREFIX + field.upper(), _default(info), info.description or "") for field, info in fields]


def settings_table() -> str:
    """The table of the README, in Markdown."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, default, meaning in described():
        lines.append(f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |")
    return "\n".join(lines)


def refreshed(readme: str) -> str:
    """The README's text with the table of today between its markers. Raises ValueError without the markers."""
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"the text has no {START} and {END}")
    return f"{before}{START}\n{settings_table()}\n{END}{after}"


def example() -> str:
    """A file of settings for programs that read them from one: each with what it means, and commented out."""
    lines = [
        "# Every setting of the hub: take the # away from a line, and put your value where the default stands.",
        "# Made by: python -m hub.settings --env deploy/.env.example",
    ]
    for name, default, meaning in described():
        lines += ["", *(f"# {line}" for line in wrap(meaning.replace("`", ""), 110)), f"#{name}={default}"]
    return "\n".join(lines) + "\n"


def _main(arguments: list[str]) -> None:
    match arguments:
        case ["--write", name]:
            text = refreshed(Path(name).read_text(encoding="utf-8"))
        case ["--env", name]:
            text = example()
        case _:
            raise SystemExit("python -m hub.settings --write README.md, or --env deploy/.env.example")
    Path(name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _main(sys.argv[1:])
