"""Deadlines by row, beside a table written apart from the code (DESIGN, deadlines)."""

from __future__ import annotations

from connectors.v2_2_1.catalogue import CATALOGUE
from hub.edge.deadlines import seconds
from hub.settings import Settings

SETTINGS = Settings(authorize_seconds=5, get_seconds=10, list_seconds=30, command_seconds=14, directed_seconds=15)

TABLE = {
    5: "TOK-S2",
    10: "LOC-S2 LOC-S3 LOC-S4 LOC-R1 LOC-R2 LOC-R3 SES-R1 CDR-R2 TAR-R1 TOK-R1",
    30: "LOC-S1 SES-S1 CDR-S1 TAR-S1 TOK-S1",
    14: "SES-S2 CMD-R1 CMD-S1 CHP-R1 CHP-R2 CHP-R3 CHP-S1 CHP-S2",
    15: "LOC-R4 LOC-R5 LOC-R6 LOC-R7 LOC-R8 LOC-R9 SES-R2 SES-R3 CDR-R1 TAR-R2 TAR-R4 TOK-R2 TOK-R3",
}


def test_every_row_that_is_forwarded_has_its_deadline() -> None:
    expected = {row: float(limit) for limit, rows in TABLE.items() for row in rows.split()}
    assert {row.id: seconds(row, SETTINGS) for row in CATALOGUE.rows if row.interface is not None} == expected
