"""`ocpi-hub topics`: make the topics of a log on Kafka, and say what is wrong with those that are there."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from hub.cli import output
from hub.cli.calling import CallFailed
from hub.settings import Settings, load_or_exit
from routing.topics import REPLICATION, Need, needs

if TYPE_CHECKING:
    from routing.log.kafka.address import KafkaAddress
    from routing.log.kafka.rules import Judged
    from routing.log.kafka.topics import Report

app = typer.Typer(no_args_is_help=True, help="The topics of the log, where HUB_LOG is a Kafka cluster.")

SingleNode = Annotated[
    bool,
    typer.Option(
        "--single-node", help="The cluster is one machine: no replicas. The hub is told by single_node=true in HUB_LOG."
    ),
]
Partitions = Annotated[
    int | None,
    typer.Option(min=1, max=1000, help="Partitions of each topic; as many as those that are there have, else 24."),
]
Replication = Annotated[
    int | None, typer.Option(min=1, help="Copies of each record; fewer than 3 only with --single-node.")
]
Wait = Annotated[float, typer.Option(min=0, help="Seconds to go on trying while the cluster cannot be reached.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

T = TypeVar("T")
_AGAIN_SECONDS = 1.0


@app.command()
def create(
    *,
    single_node: SingleNode = False,
    partitions: Partitions = None,
    replication: Replication = None,
    wait: Wait = 0,
    json: Json = False,
) -> None:
    """Make the topics that are missing; of those that are there say what differs, and change nothing."""
    settings = load_or_exit()
    address = _address(settings)
    if address is None:
        _nothing_to_do(json=json)
        return
    alone = single_node or address.single_node
    if replication is not None and replication < REPLICATION and not alone:
        raise typer.BadParameter(f"fewer than {REPLICATION} copies are kept only with --single-node")
    from routing.log.kafka import topics  # noqa: PLC0415 - the other commands start without Kafka's weight
    from routing.log.kafka.difference import Tools  # noqa: PLC0415 - as above

    wanted, tools = _needs(settings, single_node=alone, replication=replication), Tools.of(address)
    now, prefix = time.time_ns() // 1_000_000, address.prefix
    with output.failures():
        reports = _ask(
            address,
            lambda admin: topics.create(admin, wanted, tools, now=now, partitions=partitions, prefix=prefix),
            wait,
        )
    _print_created(reports, json=json, unsaid=alone and not address.single_node)
    if any(report.fatal for report in reports):
        raise typer.Exit(1)


@app.command()
def check(*, single_node: SingleNode = False, wait: Wait = 0, json: Json = False) -> None:
    """Say what would keep a hub with these settings from starting, and what it would be warned of."""
    settings = load_or_exit()
    address = _address(settings)
    if address is None:
        _nothing_to_do(json=json)
        return
    from routing.log.kafka import topics  # noqa: PLC0415 - the other commands start without Kafka's weight
    from routing.log.kafka.difference import Tools  # noqa: PLC0415 - as above

    wanted = _needs(settings, single_node=single_node or address.single_node)
    tools, prefix = Tools.of(address), address.prefix
    with output.failures():
        judged = _ask(address, lambda admin: topics.check(admin, wanted, tools, prefix=prefix), wait)
    _print_judged(judged, json=json)
    if judged.fatal:
        raise typer.Exit(1)


def _address(settings: Settings) -> KafkaAddress | None:
    """Where Kafka is; None for the embedded engine."""
    if settings.log.embedded:
        return None
    from routing.log.kafka.address import KafkaAddress  # noqa: PLC0415 - as above

    return KafkaAddress.parse(settings.log.get_secret_value())


def _nothing_to_do(*, json: bool) -> None:
    if json:
        output.as_json({"engine": "embedded", "topics": [], "fatal": [], "warnings": []})
    else:
        output.line("HUB_LOG is the embedded engine, which makes its topics itself: there is nothing to create.")


def _needs(settings: Settings, *, single_node: bool, replication: int | None = None) -> tuple[Need, ...]:
    return needs(
        body_limit=settings.max_body_bytes,
        answer_limit=settings.max_answer_bytes,
        replication=replication,
        single_node=single_node,
    )


def _ask(address: KafkaAddress, ask: Callable[[Any], Awaitable[T]], wait: float) -> T:
    """What `ask` gets of the cluster by an admin client. Raises CallFailed."""
    import asyncio  # noqa: PLC0415 - as above

    from routing.log.kafka.topics import administering  # noqa: PLC0415 - as above
    from routing.log.port import LogAway, LogError  # noqa: PLC0415 - as above

    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # one sentence is enough
    until = time.monotonic() + wait

    async def asking() -> T:
        while True:
            try:
                async with administering(address) as admin:
                    return await ask(admin)
            except LogAway:
                if time.monotonic() + _AGAIN_SECONDS > until:
                    raise
                await asyncio.sleep(_AGAIN_SECONDS)

    try:
        return asyncio.run(asking())
    except LogError as wrong:
        raise CallFailed(str(wrong)) from None


def _print_created(reports: list[Report], *, json: bool, unsaid: bool) -> None:
    from routing.log.kafka.difference import sentences  # noqa: PLC0415 - as above

    different = [one for report in reports for one in report.differences]
    if json:
        output.as_json({"engine": "kafka", "topics": [_document(report) for report in reports]})
        return
    output.table(
        ("topic", "state", "partitions", "replication"),
        [(one.topic, one.state, one.partitions, one.replication) for one in reports],
    )
    for reason in dict.fromkeys(report.reason for report in reports if report.reason):
        output.line(f"refused: {reason}")
    for sentence in sentences(different):
        output.line(sentence)
    if unsaid:
        output.line("The hub is told that the cluster is one machine by single_node=true in HUB_LOG.")


def _document(report: Report) -> dict[str, Any]:
    return asdict(report) | {"fatal": report.fatal}


def _print_judged(judged: Judged, *, json: bool) -> None:
    if json:
        output.as_json({"engine": "kafka", "fatal": judged.fatal, "warnings": judged.warnings})
        return
    for sentence in judged.fatal:
        output.line(f"wrong: {sentence}")
    for sentence in judged.warnings:
        output.line(f"warning: {sentence}")
    if not judged.fatal:
        output.line("A hub can start on these topics.")
