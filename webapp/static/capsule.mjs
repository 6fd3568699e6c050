// Checks a receipt capsule (docs/protocol.md §12) from two local files, with nobody asked: not the server of this page,
// not a node. No dependency; runs in a browser and under node.
import { VerificationError, ask, billStateOnChain, fromHex, keccak, leafHash, rootOf, toHex } from "./verify.mjs";
import { recoverKey } from "./secp256k1.mjs";

const MAX_BYTES = 16 * 2 ** 20;
const fail = (step, message) => {
  throw new VerificationError(message, step);
};
const utf8 = (text) => new TextEncoder().encode(text);
const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const hash = (...parts) => keccak(join(...parts));
const numberOf = (bytes) => bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);

// --- the file ---

const HEX = (size) => (value) => typeof value === "string" && new RegExp(`^0x([0-9a-f]{2}){${size}}$`).test(value);
const ANY_HEX = (value) => typeof value === "string" && value.length % 2 === 0 && /^0x[0-9a-f]*$/.test(value);
const NUMBER = (value) => Number.isInteger(value) && !Object.is(value, -0) && value >= 0 && value < 2 ** 32;
const LIST = (of) => (value) => Array.isArray(value) && value.every(of);
const FIELDS = (fields) => (value) =>
  value !== null &&
  typeof value === "object" &&
  Object.keys(value).sort().join() === Object.keys(fields).sort().join() &&
  Object.entries(fields).every(([name, of]) => of(value[name]));

const isCapsule = FIELDS({
  bill: FIELDS({ blob: ANY_HEX, index: NUMBER, proof: LIST(HEX(32)), run: NUMBER }),
  blocks: LIST(FIELDS({ header: ANY_HEX, index: NUMBER, proof: LIST(HEX(32)) })),
  capsule: (value) => value === 1,
  checkpoint: FIELDS({
    cosignatures: LIST(FIELDS({ observer: HEX(20), signature: HEX(65) })),
    text: (value) => typeof value === "string",
  }),
  opening: (value) => value === null || FIELDS({ bill_id: HEX(32), document: ANY_HEX, salt: HEX(32) })(value),
  receipts: LIST(FIELDS({ block: NUMBER, index: NUMBER, proof: LIST(ANY_HEX) })),
});

function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const parts = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${parts.join()}}`;
}

const CHECKPOINT = new RegExp(
  "^kopeck checkpoint v1\n" +
    "chain (0|[1-9][0-9]{0,18})\n" +
    "settlement (0x[0-9a-f]{40})\n" +
    "height (0|[1-9][0-9]{0,18})\n" +
    "block (0x[0-9a-f]{64})\n" +
    "blocks ([1-9][0-9]{0,9}) (0x[0-9a-f]{64})\n" +
    "ledger (0x[0-9a-f]{64})\n$",
);

/** The capsule in a file's bytes, and its checkpoint taken apart. */
export function parseCapsule(bytes) {
  if (bytes.length > MAX_BYTES) fail("malformed", "too large for a capsule");
  let value;
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (error) {
    fail("malformed", `not JSON: ${error.message}`);
  }
  if (!isCapsule(value) || canonical(value) !== text) fail("malformed", "not a capsule in its one spelling");
  const found = CHECKPOINT.exec(value.checkpoint.text);
  if (!found) fail("malformed", "not a checkpoint");
  const observers = value.checkpoint.cosignatures.map((signed) => signed.observer);
  if (observers.some((observer, i) => i && observer <= observers[i - 1])) fail("malformed", "cosignatures do not ascend");
  const [, chain, settlement, height, block, blocks, blocksRoot, ledger] = found;
  const point = { chain: BigInt(chain), settlement, height: BigInt(height), block, blocks: Number(blocks), blocksRoot, ledger };
  return { ...value, point };
}

const isTrust = FIELDS({
  chain_id: Number.isSafeInteger,
  charge_book: HEX(20),
  known: LIST(FIELDS({ block: HEX(32), height: Number.isSafeInteger })),
  least_height: Number.isSafeInteger,
  observers: LIST(FIELDS({ address: HEX(20), required: (value) => typeof value === "boolean" })),
  quorum: Number.isSafeInteger,
  settlement: HEX(20),
});

/** The trust file in a text. */
export function parseTrust(text) {
  let value = null;
  try {
    value = JSON.parse(text);
  } catch {
    // told below
  }
  const count = isTrust(value) ? new Set(value.observers.map((observer) => observer.address)).size : 0;
  if (!count || value.quorum < 1 || value.quorum > count) fail("trust", "not a trust file, or a quorum that proves nothing");
  return value;
}

// --- RLP: [] is a list, Uint8Array a string; the shortest spelling only ---

function takeItem(data, at, end, level) {
  if (at >= end) fail("rlp", "cut short");
  const first = data[at];
  if (first < 0x80) return [data.slice(at, at + 1), at + 1];
  const isList = first >= 0xc0;
  let size = first - (isList ? 0xc0 : 0x80);
  let start = at + 1;
  if (size > 55) {
    const width = size - 55;
    if (start + width > end || data[start] === 0) fail("rlp", "a length cut short");
    const wide = numberOf(data.slice(start, start + width));
    if (wide < 56n || wide > BigInt(end)) fail("rlp", "a length that can't be");
    size = Number(wide);
    start += width;
  } else if (!isList && size === 1 && start < end && data[start] < 0x80) fail("rlp", "a byte given a length");
  const stop = start + size;
  if (stop > end) fail("rlp", "cut short");
  if (!isList) return [data.slice(start, stop), stop];
  if (level === 16) fail("rlp", "nested too deep");
  const out = [];
  while (start < stop) {
    const [part, next] = takeItem(data, start, stop, level + 1);
    out.push(part);
    start = next;
  }
  return [out, stop];
}

export function decodeRlp(data) {
  const [item, end] = takeItem(data, 0, data.length, 0);
  if (end !== data.length) fail("rlp", "bytes after the item");
  return item;
}

function rlpList(data) {
  const item = decodeRlp(data);
  if (!Array.isArray(item)) fail("rlp", "no list");
  return item;
}

function rlpIndex(index) {
  const bytes = [];
  for (let rest = index; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return bytes.length === 1 && bytes[0] < 0x80 ? bytes : [0x80 + bytes.length, ...bytes];
}

// --- the Merkle-Patricia trie ---

const nibblesOf = (bytes) => [...bytes].flatMap((byte) => [byte >> 4, byte & 15]);

function trieValue(root, index, proof) {
  let path = nibblesOf(rlpIndex(index));
  let at = root;
  let used = 0;
  for (;;) {
    if (!Array.isArray(at)) {
      if (used === proof.length || toHex(keccak(proof[used])) !== toHex(at)) fail("trie", "a node is not the one named");
      at = rlpList(proof[used++]);
    }
    if (at.length === 17) {
      if (!path.length) fail("trie", "the key ends at a branch");
      [at, path] = [at[path[0]], path.slice(1)];
      continue;
    }
    if (at.length !== 2 || Array.isArray(at[0])) fail("trie", "a node has 2 or 17 parts");
    const prefix = nibblesOf(at[0]);
    if (!prefix.length || prefix[0] > 3 || (!(prefix[0] & 1) && prefix[1])) fail("trie", "a flag that there is not");
    const own = prefix.slice(prefix[0] & 1 ? 1 : 2);
    if (own.some((nibble, i) => nibble !== path[i])) fail("trie", "the proof leads aside");
    path = path.slice(own.length);
    at = at[1];
    if (prefix[0] < 2) continue;
    if (path.length || used !== proof.length || Array.isArray(at)) fail("trie", "the proof is too long or too short");
    return at;
  }
}

// --- what the chain said ---

const topicOf = (signature) => toHex(keccak(utf8(signature)));
const EVENTS = {};
const event = (contract, name, signature, named, topics, words) => {
  EVENTS[contract + topicOf(name + signature)] = { name, named, topics, words };
};
const PROPOSAL =
  "(uint32,uint32,bytes32,uint32,bytes32,bytes32,(uint16,uint32,int64,bytes32)[],(uint32,uint16,uint48,bytes24)[])";
event("book", "RunProposed", `(uint32,address,uint40,${PROPOSAL})`, 1, 3, 2);
event("book", "RunActivated", "(uint32)", 1, 2, 0);
event("book", "BillSuperseded", "(uint64,uint32)", 1, 3, 0);
event("pay", "BillPaid", "(uint64,address,bytes32,bytes,uint8)", 1, 4, 2);
event("pay", "GrantApplied", "(uint32,uint32,uint64,uint8,uint16,uint48,uint8)", 3, 4, 4);
event("pay", "PrepaymentNetted", "(bytes32,uint64,uint8,uint16,uint48)", 2, 3, 3);
event("pay", "CreditApplied", "(uint64,uint64,uint8,uint48)", 2, 3, 2);
event("pay", "Refunded", "(uint64,uint64,uint8,uint16,address,uint48,address,uint48)", 2, 4, 5);
event("pay", "BillStateChanged", "(uint64,uint8)", 1, 2, 1);

const STATES = ["open", "partial", "paid", "superseded"];
const [OPEN, , PAID, SUPERSEDED] = [0, 1, 2, 3];

function wordAt(data, at) {
  if (!(at >= 0) || at + 32 > data.length) fail("bad-event", "a log is cut short");
  return data.slice(at, at + 32);
}

function uintAt(data, at) {
  const value = numberOf(wordAt(data, at));
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) fail("bad-event", "a number that is too large");
  return Number(value);
}

class Story {
  constructor() {
    this.proposal = null;
    this.isActive = false;
    this.state = OPEN;
    this.moved = new Map();
    this.payments = [];
  }

  line(line, supplier = null) {
    if (!this.moved.has(line)) {
      this.moved.set(line, { paid: 0, granted: 0, netted: 0, writtenOff: 0, refunded: 0, suppliers: new Set() });
    }
    const found = this.moved.get(line);
    if (supplier !== null) found.suppliers.add(supplier);
    return found;
  }

  reach(state) {
    if (state > SUPERSEDED) fail("bad-event", "a state that there is not");
    this.state = Math.max(this.state, state);
  }

  /** Reads all logs of the bill in a receipt; says whether there were any. */
  tell(receipt, bill, trust, place) {
    const fields = rlpList(receipt.length && receipt[0] < 0x80 ? receipt.slice(1) : receipt);
    if (fields.length !== 4 || !Array.isArray(fields[3])) fail("bad-event", "not a receipt");
    const contracts = { [trust.charge_book]: "book", [trust.settlement]: "pay" };
    const key = (BigInt(bill.run) << 32n) | BigInt(bill.index);
    let isTold = false;
    for (const log of fields[3]) {
      const [address, topics, data] = Array.isArray(log) && log.length === 3 ? log : [];
      if (!(address instanceof Uint8Array) || !Array.isArray(topics) || !(data instanceof Uint8Array)) {
        fail("bad-event", "not a log");
      }
      if (!topics.length || topics.some(Array.isArray)) continue;
      const known = EVENTS[contracts[toHex(address)] + toHex(topics[0])];
      if (!known) continue;
      if (topics.length !== known.topics || data.length < 32 * known.words) fail("bad-event", `${known.name} cut short`);
      const wanted = known.name === "RunProposed" || known.name === "RunActivated" ? BigInt(bill.run) : key;
      if (numberOf(topics[known.named]) !== wanted) continue;
      isTold = true;
      if ((known.name === "RunProposed") === (this.proposal !== null)) {
        fail("bad-event", "a run is proposed once, and before all else");
      }
      this[known.name](data, topics, place);
    }
    return isTold;
  }

  RunProposed(data) {
    const start = uintAt(data, 32);
    this.proposal = {
      period: uintAt(data, start),
      count: uintAt(data, start + 32),
      root: toHex(wordAt(data, start + 64)),
    };
  }

  RunActivated() {
    this.isActive = true;
  }

  BillSuperseded() {
    this.state = SUPERSEDED;
  }

  BillPaid(data, topics, place) {
    const start = uintAt(data, 0);
    const size = uintAt(data, start);
    const legs = data.slice(start + 32, start + 32 + size);
    if (legs.length !== size || size % 8) fail("bad-event", "legs cut short");
    let amount = 0;
    for (let line = 0; line < size / 8; line++) {
      const kopecks = Number(numberOf(legs.slice(8 * line + 2, 8 * line + 8)));
      if (kopecks) this.line(line, Number(numberOf(legs.slice(8 * line, 8 * line + 2)))).paid += kopecks;
      amount += kopecks;
    }
    this.reach(uintAt(data, 32));
    this.payments.push({ ...place, amount, payer: toHex(topics[2].slice(12)) });
  }

  GrantApplied(data) {
    this.line(uintAt(data, 0), uintAt(data, 32)).granted += uintAt(data, 64);
    this.reach(uintAt(data, 96));
  }

  PrepaymentNetted(data) {
    this.line(uintAt(data, 0), uintAt(data, 32)).netted += uintAt(data, 64);
  }

  CreditApplied(data) {
    this.line(uintAt(data, 0)).writtenOff += uintAt(data, 32);
  }

  Refunded(data, topics) {
    this.line(uintAt(data, 0), Number(numberOf(topics[3]))).refunded += uintAt(data, 64) + uintAt(data, 128);
  }

  BillStateChanged(data) {
    this.reach(uintAt(data, 0));
  }
}

// --- the checks, in the order of the protocol ---

/** Runs a check; whatever goes wrong below gets this check's word. */
function step(word, work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof VerificationError) fail(word, error.message);
    throw error;
  }
}

function signerOf(text, signature) {
  const message = utf8(text);
  const key = recoverKey(hash(utf8(`\x19Ethereum Signed Message:\n${message.length}`), message), fromHex(signature));
  return key && toHex(keccak(key).slice(12));
}

function checkCheckpoint({ point, checkpoint }, trust) {
  if (point.chain !== BigInt(trust.chain_id)) fail("wrong-chain", `the capsule is of chain ${point.chain}`);
  if (point.settlement !== trust.settlement) fail("wrong-contract", `its Settlement is ${point.settlement}`);
  for (const { observer, signature } of checkpoint.cosignatures) {
    if (signerOf(checkpoint.text, signature) !== observer) fail("bad-cosignature", `not by ${observer}`);
  }
  const signed = new Set(checkpoint.cosignatures.map(({ observer }) => observer));
  const missing = trust.observers.find(({ address, required }) => required && !signed.has(address));
  if (missing) fail("missing-cosignature", `${missing.address} must have signed, and has not`);
  const observers = [...new Set(trust.observers.map(({ address }) => address))].filter((address) => signed.has(address));
  if (observers.length < trust.quorum) fail("quorum-not-met", `${observers.length} signed, ${trust.quorum} are asked for`);
  const known = trust.known.filter(({ height }) => BigInt(height) === point.height).at(-1);
  if (known && known.block !== point.block) fail("split-view", `${point.block} was signed, ${known.block} is known`);
  if (point.height < BigInt(trust.least_height)) fail("rollback", `height ${point.height}, ${trust.least_height} is known`);
  return observers.sort();
}

function checkBlocks({ point, blocks }) {
  const out = [];
  for (const block of blocks) {
    const found = step("bad-block", () => {
      const header = fromHex(block.header);
      const fields = rlpList(header);
      const [root, number, time] = [fields[5], fields[8], fields[11]];
      if (fields.length < 15 || [root, number, time].some(Array.isArray)) fail("", "no header");
      if (root.length !== 32 || number.length > 8 || time.length > 8) fail("", "a field has another size");
      const place = new Uint8Array(8);
      place.set(number, 8 - number.length);
      const leaf = leafHash(toHex(join(place, keccak(header))));
      if (rootOf(leaf, block.index, block.proof, point.blocks) !== point.blocksRoot) fail("", "not of the checkpoint");
      return { number: numberOf(number), time: Number(numberOf(time)), root };
    });
    if (found.number > point.height) fail("bad-block", "above the checkpoint");
    if (out.length && found.number <= out.at(-1).number) fail("bad-block", "the blocks do not ascend");
    out.push(found);
  }
  return out;
}

function checkReceipts({ receipts }, blocks) {
  const out = receipts.map((receipt, i) => {
    const before = receipts[i - 1];
    const ascends = !before || receipt.block > before.block || (receipt.block === before.block && receipt.index > before.index);
    if (!ascends || receipt.block >= blocks.length) fail("bad-receipt", "receipts do not ascend, or name no block");
    const proof = receipt.proof.map(fromHex);
    return step("bad-receipt", () => trieValue(blocks[receipt.block].root, receipt.index, proof));
  });
  if (new Set(receipts.map(({ block }) => block)).size !== blocks.length) fail("bad-receipt", "an idle block");
  return out;
}

function decodeBlob(text) {
  const blob = fromHex(text);
  const tail = 34 + 8 * blob[33];
  if (blob.length < 34 || blob[32] > 2 || blob[33] < 1 || blob[33] > 32 || blob.length < tail) fail("", "not a bill");
  const rest = blob.length - tail;
  if (blob[32] ? rest !== 8 : rest % 39) fail("", "a bill cut short");
  const lines = Array.from({ length: blob[33] }, (_, i) => ({
    supplier: Number(numberOf(blob.slice(34 + 8 * i, 36 + 8 * i))),
    charged: Number(numberOf(blob.slice(36 + 8 * i, 42 + 8 * i))),
  }));
  return { commit: toHex(blob.slice(0, 32)), kind: blob[32], lines };
}

function checkMoney(bill, story) {
  for (const line of story.moved.keys()) if (line >= bill.lines.length) fail("bad-money", `money moved on line ${line}`);
  const nothing = { paid: 0, granted: 0, netted: 0, writtenOff: 0, refunded: 0, suppliers: new Set() };
  const lines = bill.lines.map((line, i) => {
    const { suppliers, ...moved } = story.moved.get(i) ?? nothing;
    if ([...suppliers].some((supplier) => supplier !== line.supplier)) fail("bad-money", `line ${i}: another got money`);
    const received = moved.paid + moved.granted + moved.netted;
    const open = line.charged - received - moved.writtenOff;
    if (open < 0 || moved.refunded > received) fail("bad-money", `more moved on line ${i} than it says`);
    return { ...line, ...moved, open };
  });
  const open = lines.reduce((sum, line) => sum + line.open, 0);
  if (story.state === PAID && bill.kind !== 2 && open) fail("bad-money", `where ${open} kopecks came from is left out`);
  return lines;
}

/**
 * Checks a capsule's bytes against a trust file (`parseTrust`). Gives what stands proven; throws VerificationError whose
 * step is the protocol's word.
 */
export function verifyCapsule(bytes, trust) {
  const capsule = parseCapsule(bytes);
  const observers = checkCheckpoint(capsule, trust);
  const blocks = checkBlocks(capsule);
  const receipts = checkReceipts(capsule, blocks);
  const story = new Story();
  receipts.forEach((receipt, i) => {
    const { block, index } = capsule.receipts[i];
    const place = { block: blocks[block].number, transaction: index, time: blocks[block].time };
    const isTold = step("bad-event", () => story.tell(receipt, capsule.bill, trust, place));
    if (!isTold) fail("bad-event", `receipt ${i} says nothing of the bill`);
  });
  if (!story.proposal) fail("bad-event", "no receipts");
  const { blob, index, proof, run } = capsule.bill;
  const bill = step("wrong-root", () => {
    const found = decodeBlob(blob);
    if (rootOf(leafHash(blob), index, proof, story.proposal.count) !== story.proposal.root) fail("", "not in the run");
    return found;
  });
  if (!story.isActive) fail("not-active", `run ${run} is not shown to be active`);
  const lines = checkMoney(bill, story);
  let document = null;
  if (capsule.opening) {
    document = fromHex(capsule.opening.document);
    const commit = hash(fromHex(capsule.opening.bill_id), fromHex(capsule.opening.salt), keccak(document));
    if (toHex(commit) !== bill.commit) fail("wrong-document", "the bill commits to another document");
  }
  const { height, block } = capsule.point;
  const { period } = story.proposal;
  const state = STATES[story.state];
  return { bill: `${run}-${index}`, kind: bill.kind, period, state, lines, payments: story.payments, document, observers, height, block };
}

/**
 * What a node of the reader's choosing adds: the bill's state there now. Throws where it is of another chain, behind the
 * checkpoint, or shows another block than the observers signed.
 */
export async function askNode(node, verdict, trust) {
  if (BigInt(await ask(node, "eth_chainId", [])) !== BigInt(trust.chain_id)) fail("wrong-chain", "the node is of another chain");
  const block = await ask(node, "eth_getBlockByNumber", ["0x" + verdict.height.toString(16), false]);
  if (block === null) fail("node-behind", `the node has no block ${verdict.height} yet`);
  if (block.hash !== verdict.block) fail("split-view", `${verdict.block} was signed, the node has ${block.hash}`);
  const [run, index] = verdict.bill.split("-").map(Number);
  return billStateOnChain(node, trust.charge_book, run, index);
}
