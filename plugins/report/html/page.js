// Draws the charts, filters the table of all cells, and shows a cell's figures when its link is opened.
const data = JSON.parse(document.getElementById("data").textContent);
const dialog = document.getElementById("cell");

function* figures(value, path) {
  if (value === null || typeof value !== "object") {
    yield [path, String(value)];
  } else if (Array.isArray(value) && value.every((one) => one === null || typeof one !== "object")) {
    yield [path, value.join(", ")];
  } else {
    for (const [key, inner] of Object.entries(value)) yield* figures(inner, path ? `${path} ${key}` : key);
  }
}

function show(id) {
  document.getElementById("title").textContent = id;
  const table = document.createElement("table");
  for (const [name, text] of figures(data.cells[id], "")) {
    const row = table.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name.replaceAll("_", " ");
    row.append(head);
    row.insertCell().textContent = text;
  }
  document.getElementById("figures").replaceChildren(table);
  if (!dialog.open) dialog.showModal();
}

function follow() {
  const id = decodeURIComponent(location.hash.slice(1));
  if (id in data.cells) show(id);
  else if (dialog.open) dialog.close();
}

// Closing leaves the page where it was, and lets the same link open the cell again.
dialog.addEventListener("close", () => {
  if (decodeURIComponent(location.hash.slice(1)) in data.cells) history.replaceState(null, "", location.pathname + location.search);
});
addEventListener("hashchange", follow);
addEventListener("click", (event) => {
  const id = decodeURIComponent(event.target.closest?.("a[href^='#']")?.hash.slice(1) ?? "");
  if (!(id in data.cells)) return;
  event.preventDefault();  // or the page would move to the cell's line
  history.replaceState(null, "", `#${id}`);
  show(id);
});

const rows = [...document.querySelectorAll("#all tbody tr")].map((row) => [row, row.textContent.toLowerCase()]);
document.getElementById("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/);
  let count = 0;
  for (const [row, text] of rows) {
    row.hidden = !words.every((word) => text.includes(word));
    count += !row.hidden;
  }
  document.getElementById("count").textContent = `${count} cells`;
});

// A chart is drawn when it comes near the window, so that a page of a thousand cells opens at once.
const charts = [...document.querySelectorAll(".chart")];
const near = new IntersectionObserver((entries) => {
  for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
    near.unobserve(target);
    vegaEmbed(target, data.charts[charts.indexOf(target)], { actions: false, renderer: "svg" });
  }
}, { rootMargin: "600px" });
for (const chart of charts) near.observe(chart);

follow();
