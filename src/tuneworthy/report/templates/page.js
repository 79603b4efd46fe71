// What is closed is open on paper, and where a link leads into it.
const opened = [];
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details.whole:not([open])")) {
    one.open = true;
    opened.push(one);
  }
});
addEventListener("afterprint", () => {
  for (const one of opened.splice(0)) one.open = false;
});
function reveal() {
  const name = location.hash.slice(1);
  let to = document.getElementById(name);
  try { to ??= document.getElementById(decodeURIComponent(name)); } catch { /* leads nowhere */ }
  for (let one = to; one; one = one.parentElement) {
    if (one.matches("details")) one.open = true;
  }
  to?.scrollIntoView();
}
addEventListener("hashchange", reveal);
reveal();
