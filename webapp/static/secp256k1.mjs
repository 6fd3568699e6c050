// Who signed: recovery of a public key on secp256k1 (SEC 1, §4.1.6). It only reads signatures and handles no secret, so
// it need not take the same time for every input. No dependency; runs in a browser and under node.

const P = 2n ** 256n - 2n ** 32n - 977n;
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const G = [
  0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
  1n,
];
const NOWHERE = [0n, 1n, 0n]; // Jacobian: the point at infinity has z = 0

const mod = (value, by = P) => ((value % by) + by) % by;

function inverse(value, by) {
  let [a, b, x, y] = [mod(value, by), by, 1n, 0n];
  while (a > 1n) {
    const quotient = b / a;
    [a, b, x, y] = [b % a, a, y - quotient * x, x];
    if (a === 0n) throw new RangeError("no inverse");
  }
  return mod(x, by);
}

function power(base, exponent) {
  let out = 1n;
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) out = (out * base) % P;
    base = (base * base) % P;
  }
  return out;
}

function double([x, y, z]) {
  const yy = (y * y) % P;
  const s = (4n * x * yy) % P;
  const m = (3n * x * x) % P;
  const x3 = mod(m * m - 2n * s);
  return [x3, mod(m * (s - x3) - 8n * yy * yy), (2n * y * z) % P];
}

function add(a, b) {
  if (a[2] === 0n) return b;
  if (b[2] === 0n) return a;
  const [aa, bb] = [(a[2] * a[2]) % P, (b[2] * b[2]) % P];
  const [u1, u2] = [(a[0] * bb) % P, (b[0] * aa) % P];
  const [s1, s2] = [(a[1] * bb * b[2]) % P, (b[1] * aa * a[2]) % P];
  if (u1 === u2) return s1 === s2 ? double(a) : NOWHERE;
  const [h, r] = [mod(u2 - u1), mod(s2 - s1)];
  const hh = (h * h) % P;
  const hhh = (h * hh) % P;
  const v = (u1 * hh) % P;
  const x = mod(r * r - hhh - 2n * v);
  return [x, mod(r * (v - x) - s1 * hhh), (((h * a[2]) % P) * b[2]) % P];
}

/** a·G + b·point, the bits of both taken together. */
function sumOfMultiples(a, b, point) {
  const both = add(G, point);
  let out = NOWHERE;
  for (let bit = 255n; bit >= 0n; bit--) {
    out = double(out);
    const [ofG, ofPoint] = [(a >> bit) & 1n, (b >> bit) & 1n];
    if (ofG && ofPoint) out = add(out, both);
    else if (ofG) out = add(out, G);
    else if (ofPoint) out = add(out, point);
  }
  return out;
}

const numberOf = (bytes) => bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
const wordOf = (value) => Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * (31 - i))) & 255n));

/**
 * The public key (64 bytes, x ‖ y) behind a signature r ‖ s ‖ v of a digest; null where there is none. v is 27 or 28,
 * and a high s is refused: it is the malleable twin of another signature.
 */
export function recoverKey(digest, signature) {
  if (signature.length !== 65 || (signature[64] !== 27 && signature[64] !== 28)) return null;
  const [r, s] = [numberOf(signature.slice(0, 32)), numberOf(signature.slice(32, 64))];
  if (r === 0n || r >= N || s === 0n || s > N / 2n) return null;
  const square = mod(r * r * r + 7n);
  let y = power(square, (P + 1n) / 4n);
  if ((y * y) % P !== square) return null; // no point has this x
  if ((y & 1n) !== BigInt(signature[64] - 27)) y = P - y;
  const ofR = inverse(r, N);
  const [a, b] = [mod(-numberOf(digest) * ofR, N), mod(s * ofR, N)];
  const [x, y3, z] = sumOfMultiples(a, b, [r, y, 1n]);
  if (z === 0n) return null;
  const zi = inverse(z, P);
  const zz = (zi * zi) % P;
  const key = new Uint8Array(64);
  key.set(wordOf((x * zz) % P));
  key.set(wordOf((((y3 * zz) % P) * zi) % P), 32);
  return key;
}
