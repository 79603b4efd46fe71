// One key an answer: a letter presses the button or follows the link that bears it.
document.addEventListener("keydown", (pressed) => {
  if (pressed.key === "Enter" && (pressed.ctrlKey || pressed.metaKey)) {
    document.querySelector("[data-send]")?.click();
    return;
  }
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey || pressed.repeat) return;
  if (/^(textarea|input|select)$/i.test(pressed.target.tagName)) return;
  for (const one of document.querySelectorAll("[data-key]")) {
    if (one.dataset.key === pressed.key.toLowerCase()) {
      pressed.preventDefault();
      one.click();
      return;
    }
  }
});
// A second click before the next page is there would send the same once more.
document.getElementById("say")?.addEventListener("submit", (sent) => {
  if (sent.target.dataset.sent) sent.preventDefault();
  sent.target.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  const form = document.getElementById("say");
  if (form) delete form.dataset.sent;
});
