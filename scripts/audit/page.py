"""The report as a page for a person: one file, no scripts, nothing fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment

_TITLES = {
    "sound": "All is well",
    "sound-but-sealed": "Nothing is wrong, and not everything was looked at",
    "alarms": "Alarm",
    "not-audited": "The audit could not be made",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Kopeck audit: {{ title }}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1b1b1b }
h1 { border-left: .5rem solid {{ "#1a7f37" if report.verdict == "sound" else "#b42318" }}; padding-left: .75rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #d0d0d0 }
td, code { overflow-wrap: anywhere } td.number { text-align: right }
.first { border: 2px solid #b42318; padding: 0 1rem }
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% if report.cause is defined %}
<p>{{ report.cause.reason }}.</p>
<p><strong>What to do:</strong> {{ report.cause.remedy }}.</p>
<p>Cause: <code>{{ report.cause.slug }}</code>. Nothing was found right or wrong.</p>
{% else %}
<p>{{ sentence }}</p>
<table>
<tr><th scope="row">Chain</th><td>{{ report.chain_id }}</td></tr>
<tr><th scope="row">Settlement</th><td><code>{{ report.settlement }}</code></td></tr>
<tr><th scope="row">Up to block</th><td>{{ report.height }} <code>{{ report.block_hash }}</code></td></tr>
<tr><th scope="row">The node's last final block</th><td>{{ report.node_final_height }}</td></tr>
<tr><th scope="row">Sealed records opened</th><td>{{ "yes" if report.records_opened else "no" }}</td></tr>
</table>
{% macro show(finding) %}
<table>
<tr><th scope="row">Record</th><td>{{ finding.record }}</td></tr>
<tr><th scope="row">Expected</th><td>{{ finding.expected }}</td></tr>
<tr><th scope="row">Found</th><td>{{ finding.found }}</td></tr>
<tr><th scope="row">What to do</th><td>{{ finding.remedy }}</td></tr>
<tr><th scope="row">Kind</th><td><code>{{ finding.check }}/{{ finding.slug }}</code>
{%- if finding.invariant is defined %}, invariant {{ finding.invariant }}{% endif %}</td></tr>
{% if finding.block is defined %}<tr><th scope="row">Block</th><td>{{ finding.block }}</td></tr>{% endif %}
{% if finding.transaction is defined %}
<tr><th scope="row">Transaction</th><td><code>{{ finding.transaction }}</code></td></tr>{% endif %}
{% for name, value in finding.evidence.items() %}
<tr><th scope="row">{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}
</table>
{% endmacro %}
{% if report.first %}
<section class="first"><h2>The first that differs</h2>{{ show(report.first) }}</section>
{% for finding in report["all"][1:500] %}<h2>{{ loop.index + 1 }}</h2>{{ show(finding) }}{% endfor %}
{% if report["all"]|length > 500 %}<p>{{ report.findings }} in all; the rest is in the JSON.</p>{% endif %}
{% endif %}
<h2>What was checked</h2>
<table>
{% for name, number in report.checked.items() %}
<tr><th scope="row">{{ name }}</th><td class="number">{{ number }}</td></tr>
{% endfor %}
{% for name, number in report.leaves.items() %}
<tr><th scope="row">sealed leaves: {{ name }}</th><td class="number">{{ number }}</td></tr>
{% endfor %}
</table>
<p>An erased leaf is neither tampered nor verified: an operator signed that its key was destroyed.</p>
{% endif %}
{% if signature %}
<p>Signed by <code>{{ signer }}</code>: <code>{{ signature }}</code></p>
{% else %}
<p>This report is not signed.</p>
{% endif %}
</body>
</html>
"""


def page(value: Mapping[str, Any], sentence: str) -> str:
    """The HTML of a signed (or unsigned) report."""
    report = json.loads(json.dumps(value["report"]))
    template = Environment(autoescape=True).from_string(_PAGE)
    return template.render(
        report=report, title=_TITLES[report["verdict"]], sentence=sentence, signer=value.get("signer"),
        signature=value.get("signature"),
    )  # fmt: skip
