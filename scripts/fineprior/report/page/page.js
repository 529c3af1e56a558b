// Tools of the page: tables can be searched, sorted and saved, loci unfolded. Without scripts the page is complete.
"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const study = document.body.dataset.study;
const colours = JSON.parse(document.body.dataset.colours);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function button(text, action) {
  const made = make("button", { type: "button" }, text);
  made.addEventListener("click", action);
  return made;
}

function save(name, rows) {
  const quoted = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value ?? "");
  const text = rows.map((row) => row.map(quoted).join(",") + "\n").join("");
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  make("a", { href: url, download: `${study}.${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

// A cell's exact value, where its text is rounded or a dash.
const exact = (cell) => cell.dataset.value ?? cell.textContent;

function compare(a, b) {
  if (a === "" || b === "") return (a === "") - (b === "");
  return Number.isFinite(+a) && Number.isFinite(+b) ? a - b : a.localeCompare(b, "en", { numeric: true });
}

function equip(box) {
  const body = box.querySelector("tbody"), rows = [...body.rows], heads = all("thead th", box);
  const caption = box.getAttribute("aria-label");
  const tools = make("div", { class: "tools", role: "group", "aria-label": `Tools of the table: ${caption}` });
  if (rows.length > 8) {
    const search = make("input", { type: "search", placeholder: "Search rows", "aria-label": `Search rows: ${caption}` });
    const count = make("span", { class: "quiet", role: "status" });
    const texts = rows.map((row) => row.textContent.toLowerCase());
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/);
      rows.forEach((row, i) => (row.hidden = !words.every((word) => texts[i].includes(word))));
      count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
    });
    tools.append(search, count);
    heads.forEach((head, column) => {
      const sort = button("", () => {
        const turn = { ascending: "descending", descending: "" }[head.ariaSort] ?? "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        if (turn) head.setAttribute("aria-sort", turn);
        const key = (row) => exact(row.cells[column]), sign = turn === "descending" ? -1 : 1;
        const order = (a, b) => (key(a) === "" || key(b) === "" ? 1 : sign) * compare(key(a), key(b));
        body.append(...(turn ? rows.toSorted(order) : rows));
      });
      sort.append(...head.childNodes);
      head.append(sort);
    });
  }
  const download = button("Save as CSV", () => {
    const left = [...body.rows].filter((row) => !row.hidden);
    save(box.dataset.table, [heads.map((head) => head.dataset.name), ...left.map((row) => [...row.cells].map(exact))]);
  });
  tools.append(download);
  if (rows.length > 8) box.before(tools);
  else box.after(tools);
}

all(".box[data-table]").forEach(equip);
// Many loci start folded; a link to one unfolds it, and printing unfolds all.
const folded = all("article > details");
const unfold = () => document.querySelector(`${location.hash || "#none"} > details`)?.setAttribute("open", "");
window.addEventListener("hashchange", () => (unfold(), document.querySelector(location.hash)?.scrollIntoView()));
window.addEventListener("beforeprint", () => folded.forEach((details) => (details.open = true)));
unfold();
if (folded.length) {
  const fold = (open) => button(open ? "Open all loci" : "Close all loci", () => folded.forEach((one) => (one.open = open)));
  folded[0].parentElement.before(make("div", { class: "tools" }, fold(true), fold(false)));
}
