// What is wider than the page scrolls, and can be scrolled with the keyboard, too.
function reachable() {
  for (const one of document.querySelectorAll("mjx-container[display], .table-wrapper, pre")) {
    if (one.scrollWidth > one.clientWidth) one.setAttribute("tabindex", "0");
  }
}

window.addEventListener("load", () => {
  const drawn = window.MathJax?.startup?.promise ?? Promise.resolve();
  drawn.then(reachable);
});
window.addEventListener("resize", reachable);
