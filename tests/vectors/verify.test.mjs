// webapp/static/verify.mjs against the golden vectors. Run by `node --test tests/vectors/`.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import test from "node:test";
import {
  VerificationError,
  billCommit,
  decodeBill,
  keccak,
  leafHash,
  rootOf,
  toHex,
  treeRoot,
  verifyBill,
} from "../../webapp/static/verify.mjs";

const load = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url)));

test("keccak-256 of known texts, across the block's edge", () => {
  const known = {
    "": "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    abc: "0x4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
  };
  for (const [text, digest] of Object.entries(known)) assert.equal(toHex(keccak(new TextEncoder().encode(text))), digest);
});

test("leaves, roots and proofs", () => {
  for (const tree of load("trees")) {
    assert.deepEqual(tree.blobs.map(leafHash), tree.leaves);
    assert.equal(treeRoot(tree.leaves), tree.root);
    tree.proofs.forEach((proof, i) => assert.equal(rootOf(tree.leaves[i], i, proof, tree.leaves.length), tree.root));
  }
});

test("an alias of an index, or a proof of another length, is refused", () => {
  for (const tree of load("trees").slice(2)) {
    const [count, proof] = [tree.leaves.length, tree.proofs[0]];
    for (const index of [2 ** tree.depth, count, -1, 0.5]) {
      assert.throws(() => rootOf(tree.leaves[0], index, proof, count), VerificationError);
    }
    assert.throws(() => rootOf(tree.leaves[0], 0, proof.slice(1), count), VerificationError);
    assert.throws(() => rootOf(tree.leaves[0], 0, [...proof, proof[0]], count), VerificationError);
  }
});

test("bills", () => {
  for (const bill of load("bills")) {
    const { commit, kind, lines, credits, original, blob } = bill;
    assert.equal(billCommit(bill.bill_id, bill.salt, bill.document), commit);
    assert.deepEqual(decodeBill(blob), { commit, kind, lines, credits, original });
    assert.equal(leafHash(blob), bill.leaf);
    assert.throws(() => decodeBill(blob.slice(0, -2)), VerificationError);
  }
});

test("the other leaves", () => {
  for (const leaf of [...load("readings"), ...Object.values(load("small_leaves"))]) assert.equal(leafHash(leaf.blob), leaf.leaf);
});

// A node that answers as a chain with one run of one bill would.
async function nodeWith(root, state, work) {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      const data = JSON.parse(body).params[0].data;
      const words = data.length > 10 + 64 ? [2] : [root, 1, state, 0, 0];
      const result = "0x" + words.map((w) => (typeof w === "string" ? w.slice(2) : w.toString(16).padStart(64, "0"))).join("");
      response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result }));
    });
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  try {
    return await work(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.close();
  }
}

test("a bill is followed from its document to the chain, and each lie is found at its step", async () => {
  const given = load("bills")[1];
  const bill = { run: 1, index: 0, blob: given.blob, proof: [], billId: given.bill_id, salt: given.salt, document: given.document };
  const book = "0x" + "11".repeat(20);
  const found = await nodeWith(given.leaf, 2, (node) => verifyBill(node, book, bill));
  assert.equal(found.state, "paid");
  assert.deepEqual(found.bill.lines, given.lines);
  const step = (name) => (error) => error instanceof VerificationError && error.step === name;
  await nodeWith(given.leaf, 2, async (node) => {
    await assert.rejects(verifyBill(node, book, { ...bill, document: given.document + "00" }), step("document"));
    await assert.rejects(verifyBill(node, book, { ...bill, index: 1 }), step("root"));
  });
  await nodeWith("0x" + "22".repeat(32), 2, (node) => assert.rejects(verifyBill(node, book, bill), step("root")));
  await nodeWith(given.leaf, 3, (node) => assert.rejects(verifyBill(node, book, bill), step("chain")));
});
