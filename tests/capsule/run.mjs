// webapp/static/capsule.mjs over many files: node run.mjs TRUST FILE..., one line of JSON each. The network is taken
// away first, so that a verifier that asks anybody fails.
import { readFileSync } from "node:fs";
import { parseTrust, verifyCapsule } from "../../webapp/static/capsule.mjs";

globalThis.fetch = () => {
  throw new Error("the verifier went to the network");
};
const [trustPath, ...paths] = process.argv.slice(2);
const trust = parseTrust(readFileSync(trustPath, "utf8"));
for (const file of paths) {
  let answer;
  try {
    const { bill, state, lines, period, height, observers } = verifyCapsule(new Uint8Array(readFileSync(file)), trust);
    answer = { file, verdict: { bill, state, period, height: Number(height), observers, lines } };
  } catch (error) {
    if (error.name !== "VerificationError") throw error;
    answer = { file, refusal: error.step, detail: error.message };
  }
  console.log(JSON.stringify(answer));
}
