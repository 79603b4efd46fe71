// What a browser has to say by itself: the server is gone, so nobody else can.
document.addEventListener("htmx:sendError", () => {
  const notice = document.getElementById("notice");
  const said = document.getElementById("gone");
  if (notice !== null && said !== null) {
    notice.replaceChildren(said.content.cloneNode(true));
  }
});

// What comes in the place of a question takes the focus, and the tab that is open can be seen.
document.addEventListener("htmx:afterSettle", (settled) => {
  settled.target.querySelector("[data-focus]")?.focus();
});
document.addEventListener("htmx:oobAfterSwap", (came) => {
  came.detail.target.querySelector("[data-focus]")?.focus();
});
const here = document.querySelector("nav.tabs [aria-current]");
if (here !== null) here.closest("ul").scrollLeft = here.offsetLeft - here.closest("ul").offsetLeft - 16;
// An old link to a question of the answers, which have an address of their own.
if (/^#q-/.test(location.hash) && document.querySelector(".overview")) location.replace(`${location.pathname}/answers${location.hash}`);
// What is closed opens where a link leads into it.
const reveal = () => {
  const name = location.hash.slice(1);
  let to = document.getElementById(name);
  try { to ??= document.getElementById(decodeURIComponent(name)); } catch { /* leads nowhere */ }
  for (let one = to; one; one = one.parentElement) if (one.matches("details")) one.open = true;
  to?.scrollIntoView();
};
addEventListener("hashchange", reveal);
if (location.hash) reveal();
// What stays beside the answers begins below the head, however many lines that has.
const head = document.querySelector(".top");
if (head !== null) {
  new ResizeObserver(() => document.documentElement.style.setProperty("--top", `${head.offsetHeight}px`)).observe(head);
}
