// What comes in the place of a question takes the focus, and the tab that is open can be seen.
document.addEventListener("htmx:afterSettle", (settled) => {
  settled.target.querySelector("[data-focus]")?.focus();
});
const here = document.querySelector("nav.tabs [aria-current]");
if (here) here.closest("ul").scrollLeft = here.offsetLeft - here.closest("ul").offsetLeft - 16;
