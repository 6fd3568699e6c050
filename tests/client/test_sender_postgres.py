"""The sender's tables in PostgreSQL: sent once, two submitters at once, two processes with one key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine

from contracts.client.rpc import Rpc
from contracts.client.sender import AnotherSender, IntentConflict, Sender
from tests.client.chain import CHAIN_ID, Node
from tests.client.test_sender import on_chain, submit
from tests.ledger.test_postgres import postgres_url  # noqa: F401  the fixture

pytestmark = pytest.mark.postgres


def test_the_same_promises_hold(node: Node, postgres_url: str) -> None:  # noqa: F811
    engine = create_engine(postgres_url)
    key = b"\x44" * 32
    first = Sender(engine, Rpc(node.url), CHAIN_ID, key)
    names = [f"p{number}" for number in range(50)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: submit(first, name), names * 4))
    with pytest.raises(IntentConflict):
        first.submit("p1", None, b"other")
    for name in names:
        first.wait(name)
    second = Sender(create_engine(postgres_url), Rpc(node.url), CHAIN_ID, key)
    second.advance()
    submit(first, "later")
    with pytest.raises(AnotherSender):
        first.advance()
    second.wait("later")
    assert on_chain(node, first.address) == {name.encode(): 1 for name in [*names, "later"]}
