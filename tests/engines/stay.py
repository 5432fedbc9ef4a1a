"""The engines of `make engines`: of the checkout, started once, there until they are stopped."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tests.engines.kafka import Kafka
from tests.engines.mongo import Mongo
from tests.engines.process import ROOT

FOLDER: Final = Path(os.environ.get("HUB_ENGINES_FOLDER") or ROOT / ".hub" / "engines")


def both() -> tuple[Kafka, Mongo]:
    """Both, whether they run or not."""
    return Kafka(FOLDER / "kafka"), Mongo(FOLDER / "mongo")
