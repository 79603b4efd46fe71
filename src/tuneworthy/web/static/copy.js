// Copies the memo, or the address of a case, and says so where a screen reader hears it.
const told = document.querySelector("[data-copied]");
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    told.textContent = `${what} is copied.`;
  } catch {
    told.textContent = "This browser lets no page copy. Download it instead.";
  }
}
document.addEventListener("click", async (pressed) => {
  const button = pressed.target.closest("[data-copy], [data-copy-link]");
  if (button === null) return;
  if (button.dataset.copyLink) return copy(location.origin + button.dataset.copyLink, "The link");
  const answer = await fetch(button.dataset.copy);
  if (answer.ok) return copy(await answer.text(), "The memo");
  told.textContent = "The server doesn’t answer.";
});
