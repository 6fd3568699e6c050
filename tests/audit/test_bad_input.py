"""What can't be audited is told apart, named, with what to do; and it never ends well."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.wire.typed_data import address_of
from scripts.audit.finding import CannotAudit
from scripts.audit.report import BadReport, signer_of
from scripts.cli.audit import NOT_AUDITED
from scripts.cli.main import cli
from tests.audit.conftest import Laid
from tests.ledger.town import key_of

LATEST = json.dumps(["eth_getBlockByNumber", ["finalized", False]])
CHAIN_ID = json.dumps(["eth_chainId", []])


def change_json(laid: Laid, name: str, **changes: Any) -> None:
    path = laid.folder / name
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes))


def other_chain(laid: Laid) -> None:
    laid.answers[CHAIN_ID] = "0x1"


def no_contracts(laid: Laid) -> None:
    for name in laid.answers:
        if "eth_getCode" in name:
            laid.answers[name] = "0x"


def other_code(laid: Laid) -> None:
    for name in laid.answers:
        if "eth_getCode" in name:
            laid.answers[name] += "00"


def behind(laid: Laid) -> None:
    laid.answers[LATEST] = laid.answers[LATEST] | {"number": "0x5"}


def no_finality(laid: Laid) -> None:
    laid.answers[LATEST] = None


def other_history(laid: Laid) -> None:
    height = json.loads((laid.folder / "manifest.json").read_bytes())["height"]
    name = json.dumps(["eth_getBlockByNumber", [hex(height), False]])
    laid.answers[name] = laid.answers[name] | {"hash": "0x" + "ab" * 32}


def no_receipts(laid: Laid) -> None:
    for name in laid.answers:
        if "eth_getBlockReceipts" in name:
            laid.answers[name] = None


def no_manifest(laid: Laid) -> None:
    (laid.folder / "manifest.json").unlink()


def cut_manifest(laid: Laid) -> None:
    path = laid.folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:100])


def other_format(laid: Laid) -> None:
    change_json(laid, "manifest.json", format="something else")


def mixed(laid: Laid) -> None:
    change_json(laid, "manifest.json", settlement="0x" + "11" * 20)


def no_deployment(laid: Laid) -> None:
    (laid.folder / "deployment.json").unlink()


def bad_keys(laid: Laid) -> None:
    (laid.folder / "keys.json").write_text("[]")


CAUSES: dict[Callable[[Laid], None], str] = {
    other_chain: "other-chain", no_contracts: "other-network", other_code: "other-network", behind: "node-behind",
    no_finality: "no-finality", other_history: "history-differs", no_receipts: "node-pruned", no_manifest: "no-bundle",
    cut_manifest: "bad-manifest", other_format: "bad-manifest", mixed: "mixed-bundle", no_deployment: "bad-deployment",
    bad_keys: "bad-keys",
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "slug"), CAUSES.items(), ids=lambda value: getattr(value, "__name__", value))
def test_each_cause_is_told_apart(laid: Laid, spoil: Callable[[Laid], None], slug: str) -> None:
    spoil(laid)
    with pytest.raises(CannotAudit) as refused:
        laid.audit()
    assert refused.value.slug == slug
    assert refused.value.remedy


def test_history_that_was_rewritten_since_is_an_alarm(laid: Laid, tmp_path: Path) -> None:
    first = laid.audit(tmp_path / "state")
    position = tmp_path / "state" / "position.json"
    noted = json.loads(position.read_bytes())
    position.write_text(json.dumps(noted | {"hash": "cd" * 32}))
    with pytest.raises(CannotAudit) as refused:
        laid.audit(tmp_path / "state")
    assert refused.value.slug == "history-rewritten"
    assert "cd" * 32 in refused.value.reason
    assert first.block_hash.hex() in refused.value.reason


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda kept: kept[:0], "was cut short: 0 bytes of"),
        (lambda kept: kept[:-100], "was cut short"),
        (lambda kept: kept.replace(b"0x", b"0X", 1), "was altered"),
    ],
)
def test_a_state_that_was_damaged_is_told_and_read_anew(
    laid: Laid, tmp_path: Path, spoil: Callable[[bytes], bytes], told: str
) -> None:
    first = laid.audit(tmp_path / "state")
    kept = tmp_path / "state" / "blocks.jsonl"
    kept.write_bytes(spoil(kept.read_bytes()))
    again = laid.audit(tmp_path / "state")
    assert (first.anew, again.resumed_from) == (None, None)
    assert again.anew is not None
    assert (str(kept) in again.anew, told in again.anew) == (True, True)
    assert (again.is_sound, again.findings.checked) == (True, first.findings.checked)
    assert laid.audit(tmp_path / "state").resumed_from == again.height


def test_a_position_that_can_t_be_read_is_told_and_read_anew(laid: Laid, tmp_path: Path) -> None:
    laid.audit(tmp_path / "state")
    position = tmp_path / "state" / "position.json"
    position.write_bytes(position.read_bytes()[:40])
    again = laid.audit(tmp_path / "state")
    assert again.anew is not None
    assert again.anew.startswith(f"{position} can't be read")
    assert again.is_sound


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told_by_name(laid: Laid, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "blocks.jsonl").symlink_to("/dev/full")
    with pytest.raises(CannotAudit) as refused:
        laid.audit(state)
    assert refused.value.slug == "disk-full"
    assert str(state) in refused.value.reason


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_report_that_can_t_be_written_is_no_good_end(laid: Laid) -> None:
    code, shown = run(laid, "--html", "/dev/full")
    assert code == NOT_AUDITED
    assert "the report can't be written to /dev/full" in shown.replace("\n", " ")


@pytest.mark.parametrize("kept", ["", "head"])
@pytest.mark.parametrize("kind", ["readings", "bills", "lines", "grants"])
def test_a_file_without_a_leaf_is_an_alarm(laid: Laid, kind: str, kept: str) -> None:
    path = laid.files(kind)[0]
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] if kept else b"")
    found = [f for f in laid.audit().findings if f.record == f"{kind}/{path.name}"]
    assert [(f.slug, f.found) for f in found] == [("file-truncated", "none")]


def test_an_audit_that_was_broken_off_goes_on(laid: Laid, tmp_path: Path) -> None:
    whole = dict(laid.answers)
    no_receipts_after = json.dumps(["eth_getBlockReceipts"])[:-1]
    name = [name for name in laid.answers if name.startswith(no_receipts_after)][-1]
    laid.answers[name] = None
    with pytest.raises(CannotAudit):
        laid.audit(tmp_path / "state")
    laid.answers = whole
    assert laid.audit(tmp_path / "state").is_sound


# --- the command ---


@contextmanager
def served(laid: Laid) -> Iterator[str]:
    """A node on loopback that answers as ``laid`` says."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            one = [asked] if isinstance(asked, dict) else asked
            found = [
                {"jsonrpc": "2.0", "id": a["id"], "result": laid.answers[json.dumps([a["method"], list(a["params"])])]}
                for a in one
            ]
            data = json.dumps(found[0] if isinstance(asked, dict) else found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(laid: Laid, *more: str) -> tuple[int, str]:
    with served(laid) as url:
        found = CliRunner().invoke(cli, ["audit", "--rpc", url, "--bundle", str(laid.folder), *more])
    return found.exit_code, found.output


def test_the_command_ends_well_only_where_all_is_well(laid: Laid, tmp_path: Path) -> None:
    key, out, html = tmp_path / "auditor.key", tmp_path / "report.json", tmp_path / "report.html"
    key.write_text("0x" + key_of("auditor").hex())
    code, shown = run(laid, "--json", str(out), "--html", str(html), "--key", str(key))
    assert (code, shown.strip()) == (0, "Everything that was checked is as it should be.")
    value = json.loads(out.read_bytes())
    assert value["report"]["verdict"] == "sound"
    assert signer_of(value) == address_of(key_of("auditor"))
    assert "All is well" in html.read_text()
    value["report"]["height"] += 1
    with pytest.raises(BadReport):
        signer_of(value)


def test_the_command_names_what_differs_and_fails(laid: Laid, tmp_path: Path) -> None:
    path = laid.files("bills")[0]
    path.unlink()
    html = tmp_path / "report.html"
    code, shown = run(laid, "--json", "-", "--html", str(html))
    value = json.loads(shown)
    first = value["report"]["first"]
    assert (code, value["report"]["verdict"], first["record"]) == (1, "alarms", f"bills/{path.name}")
    assert first["evidence"]["published"].startswith("the manifest lists it")
    assert f"bills/{path.name}" in html.read_text()
    assert "This report is not signed" in html.read_text()


def test_records_that_stay_sealed_unasked_are_no_good_end(laid: Laid) -> None:
    (laid.folder / "keys.json").unlink()
    assert run(laid)[0] == 1
    code, shown = run(laid, "--sealed")
    assert code == 0
    assert "sealed records were not opened" in shown


def test_a_node_that_is_away_is_no_verdict(laid: Laid, tmp_path: Path) -> None:
    html = tmp_path / "report.html"
    argv = ["audit", "--rpc", "http://127.0.0.1:9", "--bundle", str(laid.folder), "--html", str(html)]
    found = CliRunner().invoke(cli, argv)
    assert found.exit_code == NOT_AUDITED
    assert "node-unreachable" in html.read_text()


def test_nothing_in_a_report_is_markup(laid: Laid, tmp_path: Path) -> None:
    path = laid.files("lines")[0]
    rows = path.read_bytes().split(b"\n")
    head = json.loads(rows[0]) | {"total_kopecks": "<script>alert(1)</script>"}
    path.write_bytes(b"\n".join([json.dumps(head).encode(), *rows[1:]]))
    html = tmp_path / "report.html"
    assert run(laid, "--html", str(html))[0] == 1
    assert "<script>" not in html.read_text()
    assert "&lt;script&gt;" in html.read_text()
