"""The figures of the issues' Speed tables, by the names that `--only` takes."""

from __future__ import annotations

from tests.bench.figures.archive import archive, mongo_archive
from tests.bench.figures.backlog import backlog
from tests.bench.figures.broadcast import broadcast, recipients
from tests.bench.figures.bystander import bystander
from tests.bench.figures.directed import directed
from tests.bench.figures.filled import filled
from tests.bench.figures.isolation import isolation
from tests.bench.figures.kafka_broadcast import kafka_broadcast
from tests.bench.figures.kafka_directed import kafka_directed
from tests.bench.figures.listed import listed, mongo_listed
from tests.bench.figures.opening import mongo_opening, opening
from tests.bench.figures.relay import relay
from tests.bench.figures.second_worker import second_worker
from tests.bench.plan import Figure

EMBEDDED: dict[str, Figure] = {
    "relay": relay,
    "directed": directed,
    "broadcast": broadcast,
    "recipients": recipients,
    "filled": filled,
    "bystander": bystander,
    "isolation": isolation,
    "archive": archive,
    "opening": opening,
    "listed": listed,
}

ON_ENGINES: dict[str, Figure] = {
    "kafka-broadcast": kafka_broadcast,
    "kafka-directed": kafka_directed,
    "second-worker": second_worker,
    "backlog": backlog,
    "mongo-archive": mongo_archive,
    "mongo-opening": mongo_opening,
    "mongo-listed": mongo_listed,
}
"""Those that need a real Kafka and a real MongoDB."""

FIGURES: dict[str, Figure] = EMBEDDED | ON_ENGINES
