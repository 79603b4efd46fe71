// Follows a lab: each event is how it stands as a whole, and the last one loads what it found.
const box = document.getElementById("run");
if (box !== null) {
  const source = new EventSource(box.dataset.events);
  source.addEventListener("stand", (told) => { box.innerHTML = told.data; });
  source.addEventListener("over", () => { source.close(); location.reload(); });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) location.reload();
  });
}
