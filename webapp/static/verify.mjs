// Checks a bill without trusting whoever serves this page: leaf → root → chain (docs/protocol.md §2, §4).
// No dependency; runs in a browser and under node. Every function takes and gives hex text with 0x.

// --- bytes ---

export function fromHex(text) {
  const body = text.startsWith("0x") ? text.slice(2) : text;
  if (body.length % 2 || /[^0-9a-fA-F]/.test(body)) throw new VerificationError(`not hex: ${text.slice(0, 20)}`);
  return Uint8Array.from(body.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(bytes) {
  return "0x" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function concat(...parts) {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function uint(bytes, at, size) {
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + bytes[at + i];
  return value; // six bytes at most, so below 2^53
}

/** Something does not add up; `step` names which check found it. */
export class VerificationError extends Error {
  constructor(message, step = "shape") {
    super(message);
    this.name = "VerificationError";
    this.step = step;
  }
}

// --- keccak-256: 25 lanes of 64 bits, each as two halves of 32 ---

const RATE = 136;
const ROTATIONS = [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44];
const LANES = [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];
const ROUND_CONSTANTS = roundConstants();

function roundConstants() {
  const out = [];
  let lfsr = 1;
  for (let round = 0; round < 24; round++) {
    let high = 0;
    let low = 0;
    for (let j = 0; j < 7; j++) {
      const bit = (1 << j) - 1;
      if (lfsr & 1) {
        if (bit < 32) low |= 1 << bit;
        else high |= 1 << (bit - 32);
      }
      lfsr = lfsr & 0x80 ? ((lfsr << 1) ^ 0x71) & 0xff : lfsr << 1;
    }
    out.push([high, low]);
  }
  return out;
}

function rotate(high, low, by) {
  if (by >= 32) [high, low, by] = [low, high, by - 32];
  if (by === 0) return [high, low];
  return [(high << by) | (low >>> (32 - by)), (low << by) | (high >>> (32 - by))];
}

function permute(high, low) {
  const sumHigh = new Int32Array(5);
  const sumLow = new Int32Array(5);
  for (const [constHigh, constLow] of ROUND_CONSTANTS) {
    for (let x = 0; x < 5; x++) {
      sumHigh[x] = high[x] ^ high[x + 5] ^ high[x + 10] ^ high[x + 15] ^ high[x + 20];
      sumLow[x] = low[x] ^ low[x + 5] ^ low[x + 10] ^ low[x + 15] ^ low[x + 20];
    }
    for (let x = 0; x < 5; x++) {
      const [turnedHigh, turnedLow] = rotate(sumHigh[(x + 1) % 5], sumLow[(x + 1) % 5], 1);
      for (let y = x; y < 25; y += 5) {
        high[y] ^= sumHigh[(x + 4) % 5] ^ turnedHigh;
        low[y] ^= sumLow[(x + 4) % 5] ^ turnedLow;
      }
    }
    let [carriedHigh, carriedLow] = [high[1], low[1]];
    for (let i = 0; i < 24; i++) {
      const lane = LANES[i];
      const [keptHigh, keptLow] = [high[lane], low[lane]];
      [high[lane], low[lane]] = rotate(carriedHigh, carriedLow, ROTATIONS[i]);
      [carriedHigh, carriedLow] = [keptHigh, keptLow];
    }
    for (let y = 0; y < 25; y += 5) {
      const rowHigh = high.slice(y, y + 5);
      const rowLow = low.slice(y, y + 5);
      for (let x = 0; x < 5; x++) {
        high[y + x] = rowHigh[x] ^ (~rowHigh[(x + 1) % 5] & rowHigh[(x + 2) % 5]);
        low[y + x] = rowLow[x] ^ (~rowLow[(x + 1) % 5] & rowLow[(x + 2) % 5]);
      }
    }
    high[0] ^= constHigh;
    low[0] ^= constLow;
  }
}

/** Keccak-256 of bytes, as bytes. */
export function keccak(data) {
  const padded = new Uint8Array((Math.floor(data.length / RATE) + 1) * RATE);
  padded.set(data);
  padded[data.length] ^= 0x01;
  padded[padded.length - 1] ^= 0x80;
  const high = new Int32Array(25);
  const low = new Int32Array(25);
  const view = new DataView(padded.buffer);
  for (let block = 0; block < padded.length; block += RATE) {
    for (let lane = 0; lane < RATE / 8; lane++) {
      low[lane] ^= view.getInt32(block + 8 * lane, true);
      high[lane] ^= view.getInt32(block + 8 * lane + 4, true);
    }
    permute(high, low);
  }
  const out = new DataView(new ArrayBuffer(32));
  for (let lane = 0; lane < 4; lane++) {
    out.setInt32(8 * lane, low[lane], true);
    out.setInt32(8 * lane + 4, high[lane], true);
  }
  return new Uint8Array(out.buffer);
}

const hash = (...parts) => keccak(concat(...parts));

// --- trees ---

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const EMPTY = new Uint8Array(32);

export const leafHash = (blob) => toHex(hash(LEAF, fromHex(blob)));

export function depthOf(count) {
  if (!Number.isSafeInteger(count) || count < 1 || count > 2 ** 32) throw new VerificationError(`a tree of ${count} leaves`);
  let depth = 0;
  while (2 ** depth < count) depth++;
  return depth;
}

/** Root over leaf hashes in their order. */
export function treeRoot(leaves) {
  let level = leaves.map(fromHex);
  const size = 2 ** depthOf(level.length);
  while (level.length < size) level.push(EMPTY);
  while (level.length > 1) {
    level = level.filter((_, i) => i % 2 === 0).map((left, i) => hash(NODE, left, level[2 * i + 1]));
  }
  return toHex(level[0]);
}

/** The root that a proof leads to; index and length are checked before anything is hashed. */
export function rootOf(leaf, index, proof, count) {
  if (!Number.isSafeInteger(index) || index < 0 || index >= count || proof.length !== depthOf(count)) {
    throw new VerificationError(`leaf ${index} of ${count} with a proof of ${proof.length}`, "root");
  }
  let node = fromHex(leaf);
  proof.forEach((text, i) => {
    const sibling = fromHex(text);
    node = Math.floor(index / 2 ** i) % 2 ? hash(NODE, sibling, node) : hash(NODE, node, sibling);
  });
  return toHex(node);
}

// --- bills ---

export const billCommit = (billId, salt, document) =>
  toHex(hash(fromHex(billId), fromHex(salt), keccak(fromHex(document))));

/** What a bill's blob says: commitment, kind, lines {supplier, amount}, credits, original. */
export function decodeBill(blob) {
  const bytes = fromHex(blob);
  const lineCount = bytes[33];
  const tail = 34 + 8 * lineCount;
  if (bytes.length < 34 || bytes[32] > 2 || lineCount < 1 || lineCount > 32 || bytes.length < tail) {
    throw new VerificationError("not a bill", "leaf");
  }
  const kind = bytes[32];
  const lines = Array.from({ length: lineCount }, (_, i) => ({
    supplier: uint(bytes, 34 + 8 * i, 2),
    amount: uint(bytes, 36 + 8 * i, 6),
  }));
  const rest = bytes.slice(tail);
  if (kind ? rest.length !== 8 : rest.length % 39) throw new VerificationError("a bill cut short", "leaf");
  return {
    commit: toHex(bytes.slice(0, 32)),
    kind,
    lines,
    credits: kind ? [] : Array.from({ length: rest.length / 39 }, (_, i) => credit(rest.slice(39 * i, 39 * i + 39))),
    original: kind ? [uint(rest, 0, 4), uint(rest, 4, 4)] : null,
  };
}

const credit = (bytes) => ({ line: bytes[0], amount: uint(bytes, 1, 6), prepayment: toHex(bytes.slice(7)) });

// --- the chain, at a node that the reader chooses ---

const selector = (signature) => toHex(keccak(new TextEncoder().encode(signature)).slice(0, 4));
const word = (value) => BigInt(value).toString(16).padStart(64, "0");
const STATES = ["open", "partial", "paid", "superseded"];

/** One call to a node. */
export async function ask(node, method, params) {
  const answer = await fetch(node, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const { result, error } = await answer.json();
  if (error || result === undefined) throw new VerificationError(`${method}: ${error?.message ?? "no result"}`, "chain");
  return result;
}

/** Root, count and state (0 none, 1 proposed, 2 active, 3 vetoed) of a run, as the ChargeBook has it. */
export async function runOnChain(node, chargeBook, run) {
  const data = selector("runOf(uint32)") + word(run);
  const found = fromHex(await ask(node, "eth_call", [{ to: chargeBook, data }, "latest"]));
  if (found.length < 96) throw new VerificationError(`no run ${run} at ${chargeBook}`, "chain");
  return { root: toHex(found.slice(0, 32)), count: uint(found, 60, 4), state: found[95] };
}

/** In what state the ChargeBook has a bill. */
export async function billStateOnChain(node, chargeBook, run, index) {
  const data = selector("stateOf(uint32,uint32)") + word(run) + word(index);
  return STATES[fromHex(await ask(node, "eth_call", [{ to: chargeBook, data }, "latest"]))[31]];
}

/**
 * Checks one bill all the way. `bill` holds run, index, blob, proof, and the reader's own billId, salt and document.
 * Gives {bill, state}; throws VerificationError whose step is "document", "root" or "chain".
 */
export async function verifyBill(node, chargeBook, bill) {
  const decoded = decodeBill(bill.blob);
  if (billCommit(bill.billId, bill.salt, bill.document) !== decoded.commit) {
    throw new VerificationError("the document shown is not the one the bill commits to", "document");
  }
  const run = await runOnChain(node, chargeBook, bill.run);
  const root = rootOf(leafHash(bill.blob), bill.index, bill.proof, run.count);
  if (root !== run.root) throw new VerificationError(`the bill leads to ${root}, the chain has ${run.root}`, "root");
  if (run.state !== 2) throw new VerificationError(`run ${bill.run} is not active on this chain`, "chain");
  return { bill: decoded, state: await billStateOnChain(node, chargeBook, bill.run, bill.index) };
}
