// Keys: / goes to the filter, Ctrl-K to any case or page, arrows from row to row.
const dialog = document.getElementById("palette");
const field = dialog.querySelector("input");
const list = document.getElementById("palette-list");
const here = [...document.querySelectorAll("nav.tabs a, nav.pages a, header.site a, .bar a.button")]
  .map((link) => [link.href, link.textContent.trim(), "page"]);
const inside = document.querySelector("nav.tabs")?.dataset.base; // of a case: what is in it is found, too
let at = 0;
let asked = 0;

const mark = (place) => {
  const items = [...list.children];
  at = items.length ? (place + items.length) % items.length : 0;
  items.forEach((item, n) => item.setAttribute("aria-selected", String(n === at)));
  items[at]?.scrollIntoView({ block: "nearest" });
  if (items.length) field.setAttribute("aria-activedescendant", items[at].id);
  else field.removeAttribute("aria-activedescendant");
};

const show = (found) => {
  list.replaceChildren(...found.map(([href, text, what], n) => {
    const item = document.createElement("a");
    const kind = document.createElement("span");
    Object.assign(item, { id: `go-${n}`, href, tabIndex: -1 });
    item.setAttribute("role", "option");
    item.dir = "auto";
    kind.className = "beside";
    kind.textContent = what;
    item.append(`${text} `, kind);
    return item;
  }));
  mark(0);
};

// The list itself is what is searched, so that it finds what the filter finds.
const find = async () => {
  const mine = (asked += 1);
  const words = field.value.trim().toLowerCase();
  const pages = here.filter(([, text]) => text.toLowerCase().includes(words));
  let cases = [];
  let within = [];
  try {
    const got = await fetch(`/?sort=name&find=${encodeURIComponent(words.slice(0, 100))}`);
    const page = new DOMParser().parseFromString(await got.text(), "text/html");
    cases = [...page.querySelectorAll(".case-row a.name")]
      .map((link) => [link.getAttribute("href"), link.textContent.trim(), "case"]);
    if (words && inside) {
      const found = await fetch(`${inside}/find?words=${encodeURIComponent(words.slice(0, 100))}`);
      if (found.ok) within = await found.json();
    }
  } catch { /* the pages are there without the server */ }
  if (mine !== asked || !dialog.open) return;
  const found = words ? [...cases, ...pages, ...within] : [...pages, ...cases];
  show(found);
  if (found.length === 0) list.append(Object.assign(document.createElement("p"), { className: "small", textContent: "Nothing of that name." }));
};

const open = () => {
  if (dialog.open) return;
  dialog.showModal();
  field.value = "";
  show(here);
  find();
};

let soon;
field.addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(find, 80); });
dialog.addEventListener("click", (clicked) => { if (clicked.target === dialog) dialog.close(); });
document.querySelector("[data-palette]").addEventListener("click", open);
dialog.addEventListener("keydown", (pressed) => {
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (pressed.key in steps) mark(at + steps[pressed.key]);
  else if (pressed.key === "Enter") list.children[at]?.click();
  else return;
  pressed.preventDefault();
});

document.addEventListener("keydown", (pressed) => {
  const typing = pressed.target.closest("input:not([type=checkbox]), select, textarea, dialog");
  if ((pressed.ctrlKey || pressed.metaKey) && !pressed.altKey && pressed.key.toLowerCase() === "k") {
    pressed.preventDefault();
    open();
    return;
  }
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey) return;
  const filter = document.querySelector("[data-slash]");
  if (pressed.key === "/" && typing === null && filter !== null) {
    pressed.preventDefault();
    filter.select();
    filter.focus();
    return;
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[pressed.key];
  if (step === undefined || (typing !== null && typing !== filter)) return;
  const rows = [...document.querySelectorAll(".case-row a.name")];
  const now = rows.indexOf(document.activeElement);
  const next = now < 0 && step < 0 ? undefined : rows[now + step];
  if (next === undefined) return;
  pressed.preventDefault();
  next.focus();
});

// An address says only what is asked.
document.addEventListener("htmx:configRequest", (asking) => {
  const shown = document.querySelectorAll(".case-row").length;
  if (asking.target.id === "cases" && shown) asking.detail.parameters.shown = shown;
  if (asking.target.id !== "filter") return;
  for (const [name, value] of [...asking.detail.formData]) {
    if (value === "") asking.detail.formData.delete(name);
  }
});
