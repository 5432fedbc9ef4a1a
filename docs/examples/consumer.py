"""Reads what an OCPI hub publishes, and prints a line a record. Needs aiokafka (pip install aiokafka).

python consumer.py localhost:9092 ocpi.locations ocpi.sessions ocpi.outcomes
"""

import asyncio
import json
import sys

from aiokafka import AIOKafkaConsumer, ConsumerRecord


def line(record: ConsumerRecord) -> str | None:
    """What to print of a record; None for what is to be passed over."""
    headers = {name: value.decode() for name, value in record.headers}
    match headers.get("ce_type"):
        case "org.ocpi-hub.push.v1":
            push = json.loads(headers["ce_ocpihub"])
            if record.timestamp > push["expires"]:
                return None  # it came too late: its sender was told that it was not accepted
            to = push["to"] or "all"
            data = json.loads(record.value) if record.value else {}
            return f"{push['op']:6} {push['owner']} {'/'.join(push['path'])} for {to}: {', '.join(data) or 'no data'}"
        case "org.ocpi-hub.outcome.v1":
            outcome = json.loads(record.value)
            ended = ", ".join(f"{party or 'nobody'} {how}" for party, how, *_ in outcome["results"])
            return f"{outcome['topic']} {record.key.decode()}: {ended or 'for nobody'}"
        case _:
            return None  # a type that this program does not know yet


async def main(servers: str, *topics: str) -> None:
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=servers,
        group_id="example-consumer",  # a name of your own: what was read is remembered under it
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        async for record in consumer:
            if text := line(record):
                print(f"{record.topic}/{record.partition}@{record.offset} {text}", flush=True)
            await consumer.commit()  # after the work is done: a record may come twice, but none is lost


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
