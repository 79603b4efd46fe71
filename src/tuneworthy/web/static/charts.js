// Fetches the script that draws, once there is something to draw, and tells it when there is more.
let fetched = null;
function look() {
  const box = document.querySelector("[data-chart]");
  if (box === null) return;
  if (fetched === null) {
    fetched = import(box.dataset.script).catch(() => { fetched = null; });
  } else {
    document.dispatchEvent(new Event("charts"));
  }
}
document.addEventListener("htmx:load", look);
look();
