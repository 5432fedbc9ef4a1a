"""The example consumer that the docs hand out, run as a reader would run it, against a real Kafka."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO
from uuid import uuid4

from routing.event import TYPE as PUSH
from routing.exchanges import TYPE as EXCHANGES
from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.difference import Tools
from routing.log.kafka.log import KafkaLog
from routing.log.kafka.topics import administering, create
from routing.topics import PUBLIC, REPLIES, needs
from routing.worker.outcomes import TYPE as OUTCOME
from tests.routing.frozen import Kept, now

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "consuming.md"
EXAMPLE = ROOT / "docs" / "examples" / "consumer.py"


async def published(kafka: str, records: list[Kept]) -> str:
    """Topics of this test's own, made as the hub's are, with these records; the prefix of their names."""
    address = KafkaAddress.parse(f"kafka://{kafka}?prefix={uuid4().hex[:8]}.&single_node=true")
    wanted = needs(body_limit=2**20, answer_limit=2**20, single_node=True)
    async with administering(address) as admin:
        await create(admin, wanted, Tools.of(address), now=1, partitions=1, prefix=address.prefix)
    log = KafkaLog(address, PUBLIC)
    await log.start()
    try:
        for record in records:
            await log.publish(record.topic, record.key.encode(), record.raw, record.value.encode(), within=30)
    finally:
        await log.close()
    return address.prefix


def lines(process: subprocess.Popen[str], count: int) -> Iterator[str]:
    """The first lines that it prints, each waited for."""
    assert process.stdout
    printed: Queue[str] = Queue()

    def read(stream: IO[str]) -> None:
        for line in stream:
            printed.put(line)

    Thread(target=read, args=(process.stdout,), daemon=True).start()
    for _ in range(count):
        try:
            yield printed.get(timeout=60).rstrip("\n")
        except Empty:
            process.kill()
            raise AssertionError(f"nothing more came: {process.communicate()[1]}") from None


def in_time(record: Kept, expires: int) -> Kept:
    """The same push, as its edge would wait for it until then."""
    envelope = re.sub(r'"expires":\d+', f'"expires":{expires}', record.headers["ce_ocpihub"])
    return record._replace(headers={**record.headers, "ce_ocpihub": envelope})


async def test_the_example_reads_what_the_hub_writes(kafka: str) -> None:
    records, far = now(), 9_999_999_999_999
    late = in_time(records["broadcast"], expires=1)
    unknown = records["delete"]._replace(headers={**records["delete"].headers, "ce_type": "org.ocpi-hub.push.v9"})
    written = [late, unknown] + [
        in_time(one, far) if "ce_ocpihub" in one.headers else one
        for one in (records[name] for name in ("broadcast", "directed", "delete", "outcome", "exchanges"))
    ]
    prefix = await published(kafka, written)
    topics = ["locations", "sessions", "tariffs", "outcomes", "exchanges"]
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLE), kafka, *(f"{prefix}ocpi.{name}" for name in topics)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        printed = {line.removeprefix(prefix) for line in lines(process, 4)}
    finally:
        process.kill()
        process.communicate()
    assert printed == {
        f"ocpi.locations/0@1 PUT    NL-TNM NL/TNM/Loc1 for all: {', '.join(json.loads(records['broadcast'].value))}",
        "ocpi.sessions/0@0 PATCH  NL-TNM NL/TNM/S/1 a for DE-EMS: kwh, charging_periods, last_updated",
        "ocpi.tariffs/0@1 DELETE NL-TNM NL/TNM/T1 for all: no data",
        "ocpi.outcomes/0@0 ocpi.locations NL*TNM/locations/LOC1: DE-EMS delivered, DE-AAA superseded, DE-BBB refused",
    }


def test_the_page_names_every_topic_and_type() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert {*PUBLIC, REPLIES} == set(re.findall(r"`(ocpi\.[a-z]+)`", text))
    assert {PUSH, OUTCOME, EXCHANGES} <= set(re.findall(r"`(org\.[\w.-]+)`", text))


def test_every_link_of_the_page_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text(encoding="utf-8"))
    assert links
    assert all((PAGE.parent / link).is_file() for link in links)
