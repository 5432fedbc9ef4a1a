"""Replies to directed pushes: what goes onto the log comes back from it."""

from __future__ import annotations

import pytest

from routing.replies import Reply, decode, encode


@pytest.mark.parametrize(
    "reply",
    [
        Reply("e1", 200, 1000, b'{"status_code":1000}', headers={"Content-Type": "application/json"}, location="https://h/1"),
        Reply("e2", 200, 4002, message="not known"),
        Reply("e3", 429, 2000, b"\xff\x00", headers={"Retry-After": "é\u202e"}),
    ],
)  # fmt: skip
def test_a_reply_comes_back_as_it_went(reply: Reply) -> None:
    assert decode(*encode(reply)) == reply


def test_a_header_that_is_no_utf_8_costs_only_the_bytes_that_are_none() -> None:
    odd = b"a\xffb".decode("utf-8", "surrogateescape")
    assert decode(*encode(Reply("e", 200, 1000, b"{}", headers={"Link": odd}))).headers == {"Link": "a?b"}
