// Files that are dropped go into the field, as if they had been chosen; the form sends them.
const zone = document.querySelector("[data-drop]");
const field = zone?.querySelector("input[type=file]");
const tell = () => {
  const names = [...field.files].map((file) => file.name);
  zone.querySelector("[data-dropped]").textContent = names.length ? `Chosen: ${names.join(", ")}` : "";
};
if (field) {
  field.addEventListener("change", tell);
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (over) => { over.preventDefault(); zone.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (dropped) => {
    dropped.preventDefault();
    if (dropped.dataTransfer.files.length === 0) return;
    field.files = dropped.dataTransfer.files;
    tell();
  });
}
