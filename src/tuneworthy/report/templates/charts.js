
const telephone = matchMedia("(max-width: 44rem)");
const drawn = new WeakMap();
// Each mark that rests on something of this page is a link to it; the first one to a place is a stop of the tab key.
function link(picture, leads) {
  const met = new Set();
  for (const mark of picture.querySelectorAll("path, line, text")) {
    const to = mark.__data__?.href;
    if (!Object.hasOwn(leads, to)) continue;
    if (to.startsWith("#") && !document.getElementById(to.slice(1))) continue; // on another page
    const [a, title] = ["a", "title"].map((tag) => document.createElementNS(picture.namespaceURI, tag));
    a.setAttribute("href", to);
    a.setAttribute("aria-label", title.textContent = leads[to]);
    if (met.has(to)) a.setAttribute("tabindex", "-1");
    met.add(to);
    mark.replaceWith(a);
    a.append(title, mark);
  }
}
async function draw(box) {
  const width = telephone.matches ? "narrow" : "wide";
  if (drawn.get(box) === width) return;
  drawn.set(box, width);
  try {
    const answer = await fetch(`${box.dataset.chart}?width=${width}`);
    if (!answer.ok) throw new Error(String(answer.status));
    const inside = document.createElement("div");
    const spec = await answer.json();
    const shown = await vegaEmbed(inside, spec, {
      ast: true, renderer: "svg", actions: false, tooltip: false, defaultStyle: false,
      loader: {
        load: () => Promise.reject(new Error("nothing is loaded")),
        sanitize: (href) => Promise.resolve({ href }),
      },
    });
    const picture = inside.querySelector("svg");
    for (const name of ["width", "height", "role"]) picture.removeAttribute(name);
    for (const one of picture.querySelectorAll("[role], [aria-label]")) {
      for (const name of ["role", "aria-label", "aria-roledescription"]) one.removeAttribute(name);
    }
    link(picture, spec.usermeta.leads);
    shown.finalize();
    if (drawn.get(box) !== width) return; // the width changed meanwhile, and the other picture counts
    box.replaceChildren(picture.cloneNode(true)); // without what listens to the marks
    box.dataset.drawn = "yes";
  } catch {
    if (drawn.get(box) !== width) return;
    drawn.delete(box);
    box.dataset.drawn = "no";
    const table = box.closest("figure")?.querySelector("details");
    if (table) table.open = true;
  }
}
async function look() {
  for (const box of document.querySelectorAll("[data-chart]")) await draw(box);
}
telephone.addEventListener("change", look);
document.addEventListener("charts", look);
look();
