// webapp/static/capsule.mjs against the capsules of capsules.json. Run by `node --test tests/vectors/`.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { parseTrust, verifyCapsule } from "../../webapp/static/capsule.mjs";

const { trust, accepted, refused, distrusted } = JSON.parse(readFileSync(new URL("capsules.json", import.meta.url)));
const bytes = (text) => new TextEncoder().encode(text);
const trusted = (value) => parseTrust(JSON.stringify(value));

test("capsules of a chain that is gone prove what they proved", () => {
  for (const { name, state, capsule } of accepted) assert.equal(verifyCapsule(bytes(capsule), trusted(trust)).state, state, name);
});

test("each bent capsule is refused with its word", () => {
  for (const { name, refusal, capsule } of refused) {
    assert.throws(() => verifyCapsule(bytes(capsule), trusted(trust)), (error) => error.step === refusal, name);
  }
});

test("each reader who trusts otherwise refuses with the right word", () => {
  for (const { trust: other, of, refusal } of distrusted) {
    const { capsule } = accepted.find(({ name }) => name === of);
    assert.throws(() => verifyCapsule(bytes(capsule), trusted(other)), (error) => error.step === refusal, refusal);
  }
});

test("a trust file that asks for nothing is refused", () => {
  for (const change of [{ quorum: 0 }, { observers: [] }, { quorum: trust.observers.length + 1 }, { chain_id: "1" }]) {
    assert.throws(() => trusted({ ...trust, ...change }), (error) => error.step === "trust");
  }
});
