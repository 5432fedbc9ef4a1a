"""Lists of the operator API: every one has pages and a filter, and they are asked for and told in one way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from hub.operator.answers import answer

LARGEST = 1000


class PageQuery(BaseModel):
    """The query of a list."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    offset: Annotated[int, Field(ge=0, le=2**31, description="How many rows to pass over")] = 0
    limit: Annotated[int, Field(ge=1, le=LARGEST, description="How many rows at most")] = 100
    filter: Annotated[
        str, Field(max_length=200, description="Only the rows that have this in what they say, whatever its case")
    ] = ""


def cut(rows: Sequence[Any], query: PageQuery) -> Sequence[Any]:
    """The rows of the page that is asked for."""
    return rows[query.offset : query.offset + query.limit]


def page(
    request: web.Request, name: str, rows: Sequence[Any], total: int, query: PageQuery, **more: Any
) -> web.Response:
    """`rows` under `name`, and which of how many they are; where there is a next page, Link has it (RFC 8288)."""
    headers = {"X-Total-Count": str(total)}
    following = query.offset + query.limit
    if following < total:
        url = request.rel_url.update_query(offset=following, limit=query.limit)
        headers["Link"] = f'<{url}>; rel="next"'
    content = {name: rows, "total": total, "offset": query.offset, "limit": query.limit, **more}
    return answer(content, headers=headers)
