// The mixture (1 - q) r(zeta|0) + q r(zeta|1), and a picture of it that moves. The formulas are tested against Python.
"use strict";

// -- formulas: t = logit(zeta), in which the mirror image of zeta is -t ----------------------------------------------

const EPSILON = 0.05; // share of the uniform
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (t) => Math.exp(-softplus(-t));

const exponential = {
  cdf0: (t, beta) => -Math.expm1(-beta * sigmoid(t)) / -Math.expm1(-beta),
  r0: (t, beta) => (beta * Math.exp(-beta * sigmoid(t))) / -Math.expm1(-beta),
};
const LAWS = {
  power: {
    cdf0: (t, beta) => Math.exp(-softplus(-t) / beta),
    r0: (t, beta) => Math.exp(-softplus(-t) * (1 / beta - 1)) / beta,
  },
  exponential,
  "uniform + exponential": {
    cdf0: (t, beta) => (1 - EPSILON) * exponential.cdf0(t, beta) + EPSILON * sigmoid(t),
    r0: (t, beta) => (1 - EPSILON) * exponential.r0(t, beta) + EPSILON,
  },
};

// zeta; rho, the mixture's CDF there (Eq. 8); its density; dzeta/dq at fixed rho (Eq. 9)
function mixture(name, beta, q, t) {
  const { cdf0, r0 } = LAWS[name];
  const cdf1 = 1 - cdf0(-t, beta);
  const density = (1 - q) * r0(t, beta) + q * r0(-t, beta);
  const rho = (1 - q) * cdf0(t, beta) + q * cdf1;
  return { zeta: sigmoid(t), rho, density, slope: (cdf0(t, beta) - cdf1) / density };
}

// the t at which the mixture's CDF is rho, by bisection
function inverse(name, beta, q, rho) {
  let [low, high] = [-3000, 3000];
  for (let step = 0; step < 90; step++) {
    const middle = (low + high) / 2;
    [low, high] = mixture(name, beta, q, middle).rho < rho ? [middle, high] : [low, middle];
  }
  return (low + high) / 2;
}

if (typeof module !== "undefined") module.exports = { LAWS, mixture, inverse };

// -- the picture -----------------------------------------------------------------------------------------------------

const WIDTH = 250;
const HEIGHT = 190;
const PANELS = [
  { title: "density of ζ", x: "ζ", y: (one) => one.density / 8, over: "zeta", top: "8" },
  { title: "inverse CDF: ζ at ρ", x: "ρ", y: (one) => one.zeta, over: "rho", top: "1" },
  { title: "∂ζ/∂q at ρ (logarithmic)", x: "ρ", y: (one) => (Math.log10(one.slope) + 3) / 6, over: "rho", top: "1000" },
];

function curve(name, beta, q) {
  const points = [];
  for (let step = -600; step <= 600; step++) points.push(mixture(name, beta, q, Math.sinh(step / 100) * 3));
  return points;
}

function panel({ title, x, y, over, top }, points, here, number) {
  const at = (one) => `${(one[over] * WIDTH).toFixed(1)},${((1 - Math.max(0, Math.min(1, y(one)))) * HEIGHT).toFixed(1)}`;
  const [left, height] = at(here).split(",");
  return `<g transform="translate(${30 + number * (WIDTH + 50)}, 30)">
    <rect width="${WIDTH}" height="${HEIGHT}" class="frame"/>
    <polyline points="${points.map(at).join(" ")}" class="line"/>
    <circle cx="${left}" cy="${height}" r="5" class="mark"/>
    <text x="${WIDTH / 2}" y="-10" text-anchor="middle">${title}</text>
    <text x="${WIDTH / 2}" y="${HEIGHT + 18}" text-anchor="middle">${x}</text>
    <text x="-4" y="10" text-anchor="end">${top}</text>
  </g>`;
}

function draw(root) {
  const [beta, q, rho] = ["beta", "q", "rho"].map((name) => Number(root.querySelector(`[name=${name}]`).value));
  const name = root.querySelector("[name=law]").value;
  const here = mixture(name, beta, q, inverse(name, beta, q, rho));
  const points = curve(name, beta, q);
  root.querySelector("svg").innerHTML = PANELS.map((one, number) => panel(one, points, here, number)).join("");
  const [zeta, slope] = [here.zeta, here.slope].map((value) => value.toPrecision(3));
  root.querySelector("output").textContent = `β = ${beta}, q = ${q}, ρ = ${rho}: ζ = ${zeta}, ∂ζ/∂q = ${slope}`;
}

if (typeof document !== "undefined") {
  document.addEventListener("DOMContentLoaded", () => {
    for (const root of document.querySelectorAll(".smoothing")) {
      root.addEventListener("input", () => draw(root));
      draw(root);
    }
  });
}
