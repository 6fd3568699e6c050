"""Works a bill out again from the JSON that ``kopeck bill explain BILL --json`` prints, and from nothing else.

Run as: independent_recompute.py FILE…  (or with the JSON on standard input). It prints what does not agree and exits
with 1, or with 0 where everything does. The standard library alone: no line of the engine's code is here.

What is checked, for every line: each number that names a formula of its own (a volume by norm), with its rounding
place; each part: the expression of its formula over its inputs, in roubles, half up to the kopeck; the line: the sum
of its parts, nothing where recalculations come to more, the rest carried over; the bill: the sum of its lines; every
metered number names readings that the line has.
"""

from __future__ import annotations

import json
import re
import sys
from fractions import Fraction
from pathlib import Path

TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?|[^\W\d]\w*|.)", re.UNICODE)
LEFT, TIMES, OVER, PLUS, MINUS = "P", ("·", "*"), "/", "+", ("−", "-")


class Wrong(Exception):
    """A formula cannot be read."""


class Expression:
    """One expression, read by recursive descent."""

    def __init__(self, text, values):
        self.tokens = [token for token in TOKEN.findall(text) if token.strip()]
        self.values, self.text = values, text

    def value(self):
        found = self.sum()
        if self.tokens:
            raise Wrong(f"{self.text!r} goes on with {self.tokens[0]!r}")
        return found

    def sum(self):
        found = self.product()
        while self.tokens and (self.tokens[0] == PLUS or self.tokens[0] in MINUS):
            sign = 1 if self.tokens.pop(0) == PLUS else -1
            found += sign * self.product()
        return found

    def product(self):
        found = self.factor()
        while self.tokens and (self.tokens[0] == OVER or self.tokens[0] in TIMES):
            if self.tokens.pop(0) == OVER:
                found /= self.factor()
            else:
                found *= self.factor()
        return found

    def factor(self):
        token = self.take()
        if token in MINUS:
            return -self.factor()
        if token == "(":
            found = self.sum()
            self.expect(")")
            return found
        if token in ("min", "max") and self.tokens[:1] == ["("]:
            self.take()
            found = [self.sum()]
            while self.tokens[:1] == [","]:
                self.take()
                found.append(self.sum())
            self.expect(")")
            return min(found) if token == "min" else max(found)
        if token[0].isdigit():
            return Fraction(token)
        if token not in self.values:
            raise Wrong(f"{self.text!r} needs {token!r}, which no input gives")
        return self.values[token]

    def take(self):
        if not self.tokens:
            raise Wrong(f"{self.text!r} breaks off")
        return self.tokens.pop(0)

    def expect(self, token):
        found = self.take()
        if found != token:
            raise Wrong(f"{self.text!r} has {found!r} for {token!r}")


def half_up(value):
    whole, rest = divmod(abs(value), 1)
    whole += 1 if rest * 2 >= 1 else 0
    return int(whole if value >= 0 else -whole)


def part_faults(part, readings):
    values = {given["symbol"]: Fraction(given["value"]) for given in part["inputs"]}
    if len(values) != len(part["inputs"]):
        yield "two inputs bear one symbol"
    for given in part["inputs"]:
        first, end = given.get("readings") or (0, 0)
        if not 0 <= first <= end <= readings:
            yield f"{given['symbol']} names readings {first} to {end} of {readings}"
        if given.get("formula"):
            found = Expression(given["formula"], values).value()
            if given.get("rounded_to"):
                step = Fraction(given["rounded_to"])
                found = half_up(found / step) * step
            if found != values[given["symbol"]]:
                yield f"{given['symbol']} = {given['value']}, and {given['formula']} comes to {found}"
    left, _, right = part["formula"].partition("=")
    if left.strip() != LEFT:
        yield f"the formula {part['formula']!r} is not one of P"
    kopecks = half_up(Expression(right, values).value() * 100)
    if kopecks != part["amount_kopecks"]:
        yield f"{part['formula']} comes to {kopecks}, and the part says {part['amount_kopecks']}"
    if not part["act"]:
        yield "no act stands behind it"


def line_faults(line):
    for place, part in enumerate(line["parts"]):
        try:
            for fault in part_faults(part, len(line["readings"])):
                yield f"part {place}: {fault}"
        except (Wrong, ZeroDivisionError, ValueError) as fault:
            yield f"part {place}: {fault}"
    total = sum(part["amount_kopecks"] for part in line["parts"])
    if line["amount_kopecks"] != max(0, total):
        yield f"the parts come to {total}, and the line says {line['amount_kopecks']}"
    if line.get("carried_over_kopecks", 0) != max(0, -total):
        yield f"the parts come to {total}, and {line.get('carried_over_kopecks', 0)} is carried over"


def bill_faults(bill):
    for line in bill["lines"]:
        for fault in line_faults(line):
            yield f"{line['service']}: {fault}"
    total = sum(line["amount_kopecks"] for line in bill["lines"])
    if total != bill["total_kopecks"]:
        yield f"the lines come to {total}, and the bill says {bill['total_kopecks']}"


def main(names):
    texts = [Path(name).read_text(encoding="utf-8") for name in names] or [sys.stdin.read()]
    checked = 0
    bad = 0
    for text in texts:
        found = json.loads(text)
        for bill in found if isinstance(found, list) else [found]:
            checked += sum(len(line["parts"]) for line in bill["lines"])
            for fault in bill_faults(bill):
                bad += 1
                sys.stdout.write(f"{bill.get('bill', '')}: {fault}")
    sys.stdout.write(f"{checked} parts worked out again, {bad} do not agree")
    return 1 if bad or not checked else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
