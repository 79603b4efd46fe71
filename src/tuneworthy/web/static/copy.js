// Copies the memo, a command, or the address of a case, and says so where a screen reader hears it.
function say(text) {
  document.querySelector("[data-copied]").textContent = text;
}
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} is copied.`);
  } catch {
    say("This browser lets no page copy. Select the text instead, or download it.");
  }
}
document.addEventListener("click", async (pressed) => {
  const button = pressed.target.closest("[data-copy], [data-copy-link], [data-copy-text]");
  if (button === null) return;
  const { copyLink, copyText } = button.dataset;
  if (copyLink) return copy(location.origin + copyLink, "The link");
  if (copyText) return copy(copyText, "The command");
  const answer = await fetch(button.dataset.copy);
  if (answer.ok) return copy(await answer.text(), "The memo");
  say("The server doesn’t answer.");
});
