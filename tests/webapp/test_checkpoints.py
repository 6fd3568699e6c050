"""The page of the checkpoints, for anybody."""

from __future__ import annotations

import pytest

from tests.api.town import Town
from tests.webapp.conftest import OpenBrowser

pytestmark = pytest.mark.anyio
KEYS = (b"\x01" * 32, b"\x02" * 32)


async def test_anybody_sees_who_signed_and_takes_the_file(town: Town, open_browser: OpenBrowser) -> None:
    browser = await open_browser(None)
    assert 'href="/checkpoints"' in (await browser.get("/login")).text
    assert "Контрольных точек пока нет" in (await browser.get("/checkpoints")).text
    signed, unsigned = town.publish(900, *KEYS), town.publish(1100)
    page = (await browser.get("/checkpoints")).text
    assert page.index("Блок 1\u00a0100") < page.index("Блок 900")
    assert "ещё не подписана" in page
    assert "2 подписи" in page
    for point in (signed, unsigned):
        assert (await browser.get(f"/files/checkpoints/0x{point.name.hex()}.json")).status_code == 200
        assert f'href="/files/checkpoints/0x{point.name.hex()}.json"' in page
    assert all("0x" + digest * 32 in page for digest in ("71", "72", "73"))


async def test_a_bent_file_is_an_alarm(town: Town, open_browser: OpenBrowser) -> None:
    point = town.publish(900, KEYS[0])
    path = town.checkpoints / f"0x{point.name.hex()}.json"
    path.write_text(path.read_text().replace("height 900", "height 901"))
    page = (await (await open_browser(None)).get("/checkpoints", params={"lang": "en"})).text
    assert "1 file is not what it says" in page
    assert path.name in page
