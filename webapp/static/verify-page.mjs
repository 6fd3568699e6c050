// The page that checks a capsule: reads the two files, shows what they prove, asks a node only where one is named.
import { VerificationError } from "./verify.mjs";
import { askNode, parseTrust, verifyCapsule } from "./capsule.mjs";

const texts = JSON.parse(document.getElementById("texts").textContent);
const form = document.getElementById("form");
const result = document.getElementById("result");

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const money = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 2 });
const roubles = (kopecks) => money.format(kopecks / 100);

function row(cells, tag = "td") {
  const made = element("tr");
  cells.forEach((cell) => {
    const part = element(tag, cell);
    if (tag === "th") part.scope = "col";
    made.append(part);
  });
  return made;
}

function table(heads, rows) {
  const made = element("table");
  const head = element("thead");
  head.append(row(heads, "th"));
  const body = element("tbody");
  rows.forEach((cells) => body.append(row(cells)));
  made.append(head, body);
  const scroll = element("div", undefined, "scroll");
  Object.assign(scroll, { tabIndex: 0, role: "region", ariaLabel: texts.proved });
  scroll.append(made);
  return scroll;
}

function proved(verdict, now) {
  const state = texts.states[now ?? verdict.state];
  const month = `${String(verdict.period).slice(4)}.${String(verdict.period).slice(0, 4)}`;
  result.append(element("h2", `${texts.proved}: ${verdict.bill}, ${month}, ${state}`));
  const { lines, payments } = verdict;
  const sums = lines.map((line) => [line.supplier, line.charged, line.paid, line.granted, line.netted, line.refunded]);
  result.append(table(texts.columns, sums.map(([supplier, ...kopecks]) => [supplier, ...kopecks.map(roubles)])));
  for (const payment of payments) {
    const when = new Date(payment.time * 1000).toLocaleString(document.documentElement.lang);
    result.append(element("p", `${when}: ${roubles(payment.amount)} — ${texts.payer} `, "note"));
    result.lastChild.append(element("code", payment.payer));
  }
  result.append(element("p", `${texts.observers}, ${texts.height} ${verdict.height}: `, "note"));
  result.lastChild.append(element("code", verdict.observers.join(", ")));
  const isFinal = ["paid", "superseded"].includes(verdict.state);
  result.append(element("p", now ? texts.node : isFinal ? texts.final : texts.later));
}

function refused(error) {
  const isOurs = error instanceof VerificationError;
  result.append(element("h2", texts.refused));
  result.append(element("p", isOurs ? (texts.steps[error.step] ?? error.step) : texts.unreadable));
  result.append(element("code", `${isOurs ? error.step + ": " : ""}${error.message}`));
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  result.replaceChildren();
  try {
    const [capsule, trust] = [form.elements.capsule.files[0], form.elements.trust.files[0]];
    const trusted = parseTrust(await trust.text());
    const verdict = verifyCapsule(new Uint8Array(await capsule.arrayBuffer()), trusted);
    const node = form.elements.node.value.trim();
    proved(verdict, node ? await askNode(node, verdict, trusted) : null);
  } catch (error) {
    refused(error);
  }
  result.focus();
});
