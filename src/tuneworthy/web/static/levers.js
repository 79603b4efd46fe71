// A lever and its field say the same: whichever is moved moves the other. Only the field is sent.
const numbers = (text) => text.split(/\s+to\s+|(?<=[\d%])\s*-\s*/).map((part) => Number(part.replace(/[\s%$,]/g, "")));
document.addEventListener("input", (moved) => {
  const one = moved.target;
  if (one.dataset.lever) {
    const field = document.getElementById(one.dataset.lever);
    field.value = String(Number(one.value)) + one.dataset.unit;
    one.setAttribute("aria-valuetext", field.value);
  } else if (one.closest(".lever")) {
    const lever = one.closest(".lever").querySelector("[data-lever]");
    const found = numbers(one.value);
    if (one.value.trim() && found.every(Number.isFinite)) {
      lever.value = String((found[0] + found[found.length - 1]) / 2);
    }
    lever.setAttribute("aria-valuetext", one.value || "not known");
  }
}, true);
