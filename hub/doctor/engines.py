"""Log and store: reachable, made for this hub, and of one clock. Nothing is made or changed there."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import Final, NamedTuple

from hub.doctor.finding import Finding, right, unknown, warning, wrong
from hub.keys import META
from hub.settings import Settings
from hub.skew import MOST_SECONDS
from routing.log.port import LogError
from routing.store.port import StoreError
from routing.topics import needs

LOG, STORE, TOPICS, CLOCK, FOLDER = "log", "store", "topics", "clock", "data folder"

_LEAST_FREE: Final = 2**30
_SET_CLOCK: Final = "let NTP (chrony, systemd-timesyncd) set the clocks of both"


class Looked(NamedTuple):
    """`sentinels` is what the store keeps to prove its keys; None where it could not be asked."""

    findings: list[Finding]
    sentinels: bytes | None = None


def folder(settings: Settings) -> list[Finding]:
    """HUB_DATA: is it there, may it be written, is there room."""
    path = settings.data_folder
    there = path
    while not there.exists():
        there = there.parent  # the root is always there
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        said = f"{there} is no folder that this user may write to"
        return [wrong(FOLDER, said, "chown it, or set HUB_DATA to a folder of yours")]
    free = shutil.disk_usage(there).free
    said = f"{path} has {free // 2**20} MiB free" if path.exists() else f"{path} will be made at the first start"
    if free < _LEAST_FREE:
        return [warning(FOLDER, said, "make room, or move HUB_DATA: without room nothing more is accepted")]
    return [right(FOLDER, said)]


async def log(settings: Settings) -> list[Finding]:
    """The log, and its topics."""
    if settings.log.embedded:
        said = f"the embedded engine, in {settings.data_folder}"
        return [right(LOG, said), right(TOPICS, "the embedded engine makes its own")]
    from routing.log.kafka.address import KafkaAddress  # noqa: PLC0415 - who needs no Kafka does not load it
    from routing.log.kafka.difference import Tools  # noqa: PLC0415 - as above
    from routing.log.kafka.topics import administering, check  # noqa: PLC0415 - as above

    address = KafkaAddress.parse(settings.log.get_secret_value())
    wanted = needs(
        body_limit=settings.max_body_bytes, answer_limit=settings.max_answer_bytes, single_node=address.single_node
    )
    try:
        async with administering(address) as admin:
            judged = await check(admin, wanted, Tools.of(address), prefix=address.prefix)
    except LogError as error:
        do = "see that Kafka runs, and that HUB_LOG names it as this machine reaches it"
        return [wrong(LOG, _sentence(error), do), unknown(TOPICS, "Kafka was not reached")]
    do = "do what it says, or let `ocpi-hub topics create` make what is missing"
    topics = [wrong(TOPICS, sentence.rstrip("."), do) for sentence in judged.fatal]
    topics += [warning(TOPICS, sentence.rstrip("."), "a hub starts all the same") for sentence in judged.warnings]
    return [right(LOG, f"Kafka at {address} answers"), *(topics or [right(TOPICS, "a hub can start on them")])]


async def store(settings: Settings) -> Looked:
    """The store, and how far its clock is from this machine's."""
    if settings.store.embedded:
        return await asyncio.to_thread(_embedded, settings)
    from routing.store.mongo.look import look  # noqa: PLC0415 - motor costs the embedded hub nothing

    try:
        seen = await look(settings.store.get_secret_value(), META)
    except StoreError as error:
        do = "see that MongoDB runs, and that HUB_STORE names it as this machine reaches it"
        return Looked([wrong(STORE, _sentence(error), do)])
    found = []
    if seen.schema is not None and seen.schema > seen.newest:
        found.append(_newer(seen.schema, seen.newest))
    elif not seen.replicas:
        said = "MongoDB answers, and is no replica set: processes hear late of what others changed"
        found.append(warning(STORE, said, "make it a replica set, even of one: mongod --replSet, rs.initiate()"))
    elif seen.schema is None:
        found.append(right(STORE, "MongoDB answers; no hub used this database yet"))
    else:
        found.append(right(STORE, "MongoDB answers, with the data of a hub"))
    found.append(clock("MongoDB", seen.ahead))
    return Looked(found, seen.meta or b"")


def _embedded(settings: Settings) -> Looked:
    from routing.store.embedded.look import look  # noqa: PLC0415 - loaded by who uses it

    try:
        seen = look(settings.data_folder, META)
    except StoreError as error:
        return Looked([wrong(STORE, _sentence(error), "see whose file that is and who may read it")])
    if seen.schema is None:
        return Looked([right(STORE, f"the embedded engine; nothing in {settings.data_folder} yet")], b"")
    if seen.schema > seen.newest:
        return Looked([_newer(seen.schema, seen.newest)])
    said = f"the embedded engine, with the data of a hub in {settings.data_folder}"
    return Looked([right(STORE, said)], seen.meta or b"")


def _newer(schema: int, newest: int) -> Finding:
    said = f"the data was written by a newer release (schema {schema}; this one knows up to {newest})"
    return wrong(STORE, said, "run that release, or restore the copy made before the upgrade")


def clock(whose: str, ahead: float) -> Finding:
    """The finding for somebody's clock that is so many seconds ahead of this machine's."""
    if abs(ahead) <= MOST_SECONDS:
        return right(CLOCK, f"this machine's is that of {whose}, within {MOST_SECONDS:g} s")
    way = "ahead of" if ahead > 0 else "behind"
    return wrong(CLOCK, f"the clock of {whose} is {abs(ahead):.3f} s {way} this machine's", _SET_CLOCK)


def _sentence(error: Exception) -> str:
    return str(error).rstrip(".")
