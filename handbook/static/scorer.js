// Whose heading is what was sought comes first; the other weights are Sphinx's.
const sought = (new URLSearchParams(location.search).get("q") || "").trim().toLowerCase();

var Scorer = {
  score: ([page, title, anchor, description, score]) =>
    title.toLowerCase().split(" > ").at(-1) === sought ? score + 1000 : score,
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
