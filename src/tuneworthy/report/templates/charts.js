
const telephone = matchMedia("(max-width: 44rem)");
const drawn = new WeakMap();
async function draw(box) {
  const width = telephone.matches ? "narrow" : "wide";
  if (drawn.get(box) === width) return;
  drawn.set(box, width);
  try {
    const answer = await fetch(`${box.dataset.chart}?width=${width}`);
    if (!answer.ok) throw new Error(String(answer.status));
    const inside = document.createElement("div");
    await vegaEmbed(inside, await answer.json(), {
      ast: true, renderer: "svg", actions: false, tooltip: false, defaultStyle: false,
      loader: {
        load: () => Promise.reject(new Error("nothing is loaded")),
        sanitize: (href) => Promise.resolve({ href }),
      },
    });
    const picture = inside.querySelector("svg");
    for (const name of ["width", "height"]) picture.removeAttribute(name);
    picture.setAttribute("aria-hidden", "true");
    box.replaceChildren(picture);
    box.dataset.drawn = "yes";
  } catch {
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
