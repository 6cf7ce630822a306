// Five quantities in plain JavaScript, to be checked: node conformance_javascript.mjs KIT.json THEIRS.json
//
// It reads a kit in one file (`python -m dvae_ref conformance export kit.json --format json`) and writes its outputs, for
// `python -m dvae_ref conformance check kit.json theirs.json` to judge. Arrays are flat, row by row.

import { readFileSync, writeFileSync } from "node:fs";

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const sum = (array) => array.reduce((total, x) => total + x, 0);
const range = (n) => Array.from({ length: n }, (_, i) => i);

// E(z) = -a·z - z_left W z_right, and the gradient of sum(cotangent * energy)
function energy({ a, W, z, cotangent }) {
  const d = a.length, n = d / 2, rows = cotangent.length;
  const found = { energy: Array(rows).fill(0), d_a: Array(d).fill(0), d_W: Array(n * n).fill(0), d_z: Array(rows * d) };
  for (const r of range(rows)) {
    const x = z.slice(r * d, (r + 1) * d);
    const field = range(d).map((i) =>
      a[i] + sum(range(n).map((j) => (i < n ? W[i * n + j] * x[n + j] : W[j * n + i - n] * x[j]))));
    const linear = sum(x.map((v, i) => a[i] * v));
    found.energy[r] = -linear - sum(range(n).map((i) => x[i] * (field[i] - a[i])));
    for (const i of range(d)) {
      found.d_z[r * d + i] = -cotangent[r] * field[i];
      found.d_a[i] -= cotangent[r] * x[i];
    }
    for (const i of range(n)) for (const j of range(n)) found.d_W[i * n + j] -= cotangent[r] * x[i] * x[n + j];
  }
  return found;
}

// sweeps from given uniform numbers, the right side first
function gibbs({ a, W, z, u }, shapes) {
  const [sweeps, chains, d] = shapes.u, n = d / 2;
  const p = [], after = [];
  let state = z.slice();
  for (const s of range(sweeps)) {
    const at = (r, i) => r * d + i, random = u.slice(s * chains * d, (s + 1) * chains * d);
    const chance = Array(chains * d), next = state.slice();
    for (const side of ["right", "left"]) {
      for (const r of range(chains)) for (const k of range(n)) {
        const i = side === "right" ? n + k : k;
        const field = a[i] + sum(range(n).map((j) =>
          side === "right" ? next[at(r, j)] * W[j * n + k] : W[k * n + j] * next[at(r, n + j)]));
        chance[at(r, i)] = sigmoid(field);
      }
      for (const r of range(chains)) for (const k of range(n)) {
        const i = at(r, side === "right" ? n + k : k);
        next[i] = random[i] < chance[i] ? 1 : 0;
      }
    }
    p.push(...chance);
    after.push(...next);
    state = next;
  }
  return { p, z_after: after };
}

// log q(zeta|x), power function: r(zeta|0) = zeta^(1/beta - 1) / beta; gradients of sum(cotangent * log_q)
function logQPower({ beta, zeta, q, cotangent }) {
  const [b] = beta, slope = 1 / b - 1, units = zeta.length / cotangent.length;
  const found = { log_q: cotangent.map(() => 0), d_q: [], d_zeta: [] };
  zeta.forEach((x, i) => {
    const row = Math.floor(i / units), d = cotangent[row];
    const r0 = x ** slope / b, r1 = (1 - x) ** slope / b, density = (1 - q[i]) * r0 + q[i] * r1;
    found.log_q[row] += Math.log(density);
    found.d_q.push((d * (r1 - r0)) / density);
    found.d_zeta.push((d * slope * (((1 - q[i]) * r0) / x - (q[i] * r1) / (1 - x))) / density);
  });
  return found;
}

// log (1/K) sum_k w_k of each image, and the gradient of the mean over images
function importanceWeighted({ log_p, log_q, log_px, kappa }, shapes) {
  const [images, K] = shapes.log_px, [k] = kappa;
  const found = { bound: [], d_log_p: [], d_log_q: [], d_log_px: [] };
  for (const n of range(images)) {
    const logW = range(K).map((s) => k * (log_p[n * K + s] - log_q[n * K + s]) + log_px[n * K + s]);
    const peak = Math.max(...logW), w = logW.map((x) => Math.exp(x - peak)), total = sum(w);
    found.bound.push(peak + Math.log(total / K));
    for (const one of w) {
      const d = one / total / images;
      found.d_log_p.push(k * d);
      found.d_log_q.push(-k * d);
      found.d_log_px.push(d);
    }
  }
  return found;
}

function adam({ p, g, m, v, iteration, learning_rate, beta1, beta2, adam_epsilon }) {
  const [t] = iteration, [b1] = beta1, [b2] = beta2;
  const rate = (learning_rate[0] * Math.sqrt(1 - b2 ** t)) / (1 - b1 ** t);
  const mAfter = m.map((x, i) => b1 * x + (1 - b1) * g[i]), vAfter = v.map((x, i) => b2 * x + (1 - b2) * g[i] ** 2);
  const pAfter = p.map((x, i) => x - (rate * mAfter[i]) / (Math.sqrt(vAfter[i]) + adam_epsilon[0]));
  return { p_after: pAfter, m_after: mAfter, v_after: vAfter };
}

const ANSWERS = { energy, gibbs, log_q_power: logQPower, bound_importance_weighted: importanceWeighted, adam };
const [kit, theirs] = process.argv.slice(2);
const outputs = {};
for (const { name, arrays, values } of JSON.parse(readFileSync(kit, "utf8")).quantities) {
  if (!(name in ANSWERS)) continue;
  outputs[name] = ANSWERS[name](values, Object.fromEntries(arrays.map((array) => [array.name, array.shape])));
}
writeFileSync(theirs, JSON.stringify(outputs));
