#!/usr/bin/env node
// Lets forge, slither, ape and py-solc-x drive the compiler that npm ships (solc, built to WebAssembly)
// as if it were the native one: they ask for --version, then send --standard-json.
import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { join, dirname, isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";

const home = join(dirname(fileURLToPath(import.meta.url)), "..");
const solc = createRequire(join(home, "package.json"))("solc");
const args = process.argv.slice(2);

if (args.includes("--version")) {
  // Callers parse the platform and refuse one they do not know.
  const version = solc.version().replace(/\.Emscripten.*$/, ".Linux.g++");
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${version}`);
} else if (args.includes("--standard-json")) {
  const paths = [];
  let base = process.cwd();
  args.forEach((arg, i) => {
    if (arg === "--base-path") base = args[i + 1];
    if (arg === "--include-path") paths.push(args[i + 1]);
  });
  const roots = [base, ...paths].map((p) => (isAbsolute(p) ? p : join(process.cwd(), p)));
  const read = (path) => {
    for (const candidate of [...roots.map((root) => join(root, path)), path]) {
      if (existsSync(candidate)) return { contents: readFileSync(candidate, "utf8") };
    }
    return { error: `not found: ${path}` };
  };
  process.stdout.write(solc.compile(readFileSync(0, "utf8"), { import: read }));
} else {
  console.error("solc shim: only --version and --standard-json are understood");
  process.exit(1);
}
