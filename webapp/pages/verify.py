"""The page that checks a receipt capsule in the browser: one file of HTML that asks nobody, and works when it is saved.

Script and style stand in the page itself, named by their hashes in its policy, so that the page can be kept on a disk,
compared with another's copy, and opened with the network off.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache

from starlette.responses import Response
from starlette.routing import Route

from webapp.view import HERE, Visit, show

_MODULES = ("verify", "secp256k1", "capsule", "verify-page")
"""Each imports from those before it only."""
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./([\w-]+)\.mjs";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
_STEPS = (
    "malformed",
    "wrong-chain",
    "wrong-contract",
    "bad-cosignature",
    "missing-cosignature",
    "quorum-not-met",
    "split-view",
    "rollback",
    "bad-block",
    "bad-receipt",
    "bad-event",
    "wrong-root",
    "not-active",
    "bad-money",
    "wrong-document",
    "trust",
    "chain",
    "node-behind",
)
_STATES = ("open", "partial", "paid", "superseded")
_COLUMNS = ("supplier", "charged", "paid", "granted", "netted", "refunded")


@cache
def script() -> str:
    """The modules as one script, each in a function of its own."""
    return '"use strict";\n' + "".join(_enclosed(name) for name in _MODULES)


def _enclosed(name: str) -> str:
    source = (HERE / "static" / f"{name}.mjs").read_text()
    exported = [found[1] for found in _EXPORT.findall(source)]
    body = _EXPORT.sub(r"\1", _IMPORT.sub(lambda found: f"const {found[1]} = {_variable(found[2])};", source))
    return f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {', '.join(exported)} }};\n}})();\n"


def _variable(module: str) -> str:
    return "module_" + module.replace("-", "_")


@cache
def policy() -> str:
    """What the page may do: run its own script, wear its own style, and ask the node that the reader names."""
    style = (HERE / "static" / "kopeck.css").read_text()
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_named(script())}'",
            f"style-src '{_named(style)}'",
            "connect-src http: https:",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _named(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


async def verify(visit: Visit) -> Response:
    """The page, for anybody."""
    t = visit.texts
    texts = {
        "states": {state: t(f"state.{state}") for state in _STATES},
        "steps": {step: t(f"verify.step.{step}") for step in _STEPS},
        "columns": [t(f"verify.column.{column}") for column in _COLUMNS],
        **{name: t(f"verify.{name}") for name in ("proved", "refused", "payer", "observers", "height")},
        **{name: t(f"verify.{name}") for name in ("node", "final", "later", "unreadable")},
    }
    page = visit.page(
        "verify.html",
        script=script(),
        css=(HERE / "static" / "kopeck.css").read_text(),
        policy=policy(),
        texts=json.dumps(texts, ensure_ascii=False).replace("<", "\\u003c"),
    )
    page.headers["Content-Security-Policy"] = policy() + "; frame-ancestors 'none'"
    return page


routes = [Route("/verify", show(verify), methods=["GET"])]
