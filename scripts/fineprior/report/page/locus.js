// Interactive plot of a locus, drawn from its variants. It needs page.js before it.

// Columns of the variants. Positions are stored as differences, and ids without their chromosome and position.
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const read = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  let pos = 0;
  read.pos = read.steps.map((step) => (pos += step));
  read.id = read.alleles.map((alleles, i) => `${read.chrom}:${read.pos[i]}:${alleles}`);
  return read;
}

const circle = (x, y, r) => `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0`;
const diamond = (x, y, r) => `M${x},${y - r}l${r},${r}l${-r},${r}l${-r},${-r}z`;
const escaped = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
const bp = (position) => Math.round(position).toLocaleString("en");
const shown = (value) => (value === null ? "–" : String(value));

// The three panels as SVG, for the part of the locus that is in view.
class Locus {
  static height = 560;
  static panels = { p: [232, 216], pip: [412, 148], ratio: [520, 76] }; // bottom, height

  constructor(figure, variants) {
    [this.figure, this.v] = [figure, variants];
    this.whole = figure.dataset.span.split(",").map(Number);
    this.chrom = variants.chrom;
    const finite = (values) => values.filter((value) => value !== null);
    const ratios = finite(variants.ratio).filter((ratio) => ratio > 0);
    this.top = 1.12 * Math.max(1, ...finite(variants.p));
    this.ratios = [Math.log(Math.min(1 / 3, ...ratios) / 1.3), Math.log(1.3 * Math.max(3, ...ratios))];
    const strength = variants.z.map((z) => Math.abs(z ?? 0));
    this.lead = strength.indexOf(Math.max(...strength));
    this.plot = make("div", { class: "plot", tabindex: 0, role: "group", "aria-label": `${figure.dataset.locus}, zoomable` });
    this.said = make("p", { class: "quiet", role: "status" });
    const steps = { "Zoom in": [0.5, 0], "Zoom out": [2, 0], "Left": [1, -0.4], "Right": [1, 0.4] };
    const buttons = Object.entries(steps).map(([text, step]) => button(text, () => this.move(...step)));
    const save = button("Save variants in view (CSV)", () => this.save());
    const tools = make("div", { class: "tools" }, ...buttons, button("Whole locus", () => this.show(...this.whole)), save);
    const dots = colours.ld.map(([, colour, text]) => make("span", {}, make("b", {}, "\u25cf"), ` ${text}`));
    dots.forEach((dot, bin) => (dot.firstChild.style.color = colours.ld[bin][1]));
    figure.replaceChildren(tools, this.plot, make("p", { class: "quiet key" }, "r² with the lead variant: ", ...dots.flatMap((dot) => [dot, " "])), this.said);
    const keys = { "+": "Zoom in", "-": "Zoom out", ArrowLeft: "Left", ArrowRight: "Right" };
    this.plot.addEventListener("keydown", (event) => event.key in keys && this.move(...steps[keys[event.key]]));
    let start = null;
    const at = (event) => event.clientX - this.plot.getBoundingClientRect().left;
    this.plot.addEventListener("pointerdown", (event) => (start = at(event)));
    this.plot.addEventListener("pointermove", (event) => this.point(event, start, at(event)));
    this.plot.addEventListener("pointerup", (event) => {
      const [a, b] = [start, at(event)].sort((one, other) => one - other).map((x) => this.position(x));
      if (start !== null && Math.abs(at(event) - start) > 8) this.show(a, b);
      start = null;
    });
    this.plot.addEventListener("pointerleave", () => (start = null));
    window.addEventListener("resize", () => this.show(...this.view));
    this.show(...this.whole);
    this.plot.focus({ preventScroll: true });
  }

  move(factor, shift) {
    const [a, b] = this.view, half = ((b - a) / 2) * factor, middle = (a + b) / 2 + shift * (b - a);
    this.show(middle - half, middle + half);
  }

  // Keeps the view within the locus and at least 50 bp wide.
  show(from, to) {
    const [first, last] = this.whole, width = Math.min(Math.max(to - from, 50), last - first);
    const a = Math.min(Math.max((from + to - width) / 2, first), last - width);
    this.view = [a, a + width];
    this.width = Math.max(320, this.plot.clientWidth);
    this.inside = this.v.pos.flatMap((pos, i) => (pos >= a && pos <= a + width ? [i] : []));
    this.draw();
    const best = this.inside.reduce((one, i) => (this.v.functional[i] > (this.v.functional[one] ?? -1) ? i : one), -1);
    const place = `${this.chrom}:${bp(a + 1)}-${bp(a + width)}: ${this.inside.length} variants`;
    this.said.textContent = best < 0 ? place : `${place}, the most probable ${this.described(best)}`;
  }

  described(i) {
    const v = this.v, sets = [...new Set([v.set_uniform[i], v.set_functional[i]])].filter(Boolean);
    return `${v.id[i]}: −log10 p ${shown(v.p[i])}, r² ${shown(v.r2[i])}, PIP ${shown(v.uniform[i])} → ` +
      `${shown(v.functional[i])}, prior / uniform ${shown(v.ratio[i])}${sets.length ? `, in ${sets.join(" and ")}` : ""}`;
  }

  x = (pos) => 56 + ((pos - this.view[0]) / (this.view[1] - this.view[0])) * (this.width - 72);
  position = (x) => this.view[0] + ((x - 56) / (this.width - 72)) * (this.view[1] - this.view[0]);
  y(panel, value) {
    const [bottom, height] = Locus.panels[panel], [low, high] = this.ratios;
    const share = { p: value / this.top, pip: value, ratio: (Math.log(value) - low) / (high - low) }[panel];
    return bottom - 5 - share * (height - 10);
  }

  draw() {
    const { v, inside, width } = this, layers = new Map();
    const mark = (order, style, shape, i, panel, value, r) => {
      if (value === null || (panel === "ratio" && !(value > 0))) return;
      const key = `${order} ${style}`;
      layers.set(key, (layers.get(key) ?? "") + shape(+this.x(v.pos[i]).toFixed(1), +this.y(panel, value).toFixed(1), r));
    };
    const size = inside.length > 600 ? 2.6 : 4;
    for (const i of inside) {
      const bin = colours.ld.findLast(([lower]) => v.r2[i] >= lower && v.r2[i] !== null);
      const [ringed, filled] = [v.set_uniform[i] ? 1 : 0, v.set_functional[i] ? 1 : 0];
      if (i === this.lead) mark(3, `fill="${colours.lead}" stroke="#000"`, diamond, i, "p", v.p[i], 7);
      else mark(1, `fill="${bin?.[1] ?? "#bbb"}" stroke="${colours.edge}" stroke-width=".4"`, circle, i, "p", v.p[i], size);
      if (Math.abs(v.uniform[i] - v.functional[i]) > 0.02)
        mark(0, `stroke="${colours.paleBlue}"`, (x, y) => `M${x},${y}V${this.y("pip", v.functional[i])}`, i, "pip", v.uniform[i]);
      const blue = `fill="${filled ? colours.blue : colours.paleBlue}"`;
      mark(1 + ringed, `fill="none" stroke="${ringed ? colours.grey : colours.paleGrey}"`, circle, i, "pip", v.uniform[i], size + 1);
      mark(1 + filled, blue, diamond, i, "pip", v.functional[i], size + 0.5 * filled);
      mark(1 + filled, blue, diamond, i, "ratio", v.ratio[i], size);
    }
    const marks = [...layers].sort(([one], [other]) => one[0] - other[0]).map(([key, d]) => `<path ${key.slice(2)} d="${d}"/>`);
    this.plot.innerHTML = `<svg width="${width}" height="${Locus.height}" role="img" aria-label="${escaped(this.figure.dataset.locus)}">` +
      `${this.axes()}${marks.join("")}${this.names()}<line id="guide"/><rect id="chosen"/></svg>`;
  }

  axes() {
    const text = (x, y, words, more = 'text-anchor="end"') => `<text x="${x}" y="${y}" ${more}>${words}</text>`;
    const rule = (panel, value, dash) => value > 0 && this.y(panel, value) > 0 ? `<path stroke="#777" ` +
      `stroke-dasharray="${dash}" d="M56,${this.y(panel, value)}H${this.width - 16}"/>` : "";
    const steps = (span, most) => [1, 2, 5, 10].map((one) => one * 10 ** Math.floor(Math.log10(span / most))).find((one) => span / one <= most);
    const made = [rule("p", this.top > 7.4 ? -Math.log10(5e-8) : 0, "2 3"), rule("ratio", 1, "5 3")];
    for (const [panel, label] of [["p", "−log10 p"], ["pip", "PIP"], ["ratio", "prior / uniform"]]) {
      const [bottom, height] = Locus.panels[panel], step = steps(this.top, 5);
      const values = { p: Array.from({ length: 1 + Math.floor(this.top / step) }, (_, i) => i * step), pip: [0, 0.5, 1],
        ratio: [0.001, 0.01, 0.1, 1, 10, 100, 1000].filter((one) => Math.log(one) > this.ratios[0] && Math.log(one) < this.ratios[1]) }[panel];
      made.push(`<path stroke="#666" fill="none" d="M56,${bottom - height}V${bottom}H${this.width - 16}"/>`);
      made.push(...values.map((value) => text(50, this.y(panel, value) + 4, +value.toFixed(3))));
      made.push(text(0, 0, label, `text-anchor="middle" transform="translate(13,${bottom - height / 2}) rotate(-90)"`));
    }
    const [a, b] = this.view, step = steps(b - a, Math.max(2, this.width / 140)), digits = Math.max(0, 6 - Math.floor(Math.log10(step)));
    for (let pos = Math.ceil(a / step) * step; pos <= b; pos += step)
      made.push(`<path stroke="#666" d="M${this.x(pos)},520v5"/>`, text(this.x(pos), 538, (pos / 1e6).toFixed(digits), 'text-anchor="middle"'));
    return made.join("") + text((this.width + 40) / 2, 556, `position on ${escaped(this.chrom)} (Mb)`, 'text-anchor="middle"');
  }

  // The lead variant, and each credible set at its most probable variant.
  names() {
    const { v } = this, tops = {};
    for (const i of this.inside) {
      const set = v.set_functional[i];
      if (set && !(v.functional[tops[set]] >= v.functional[i])) tops[set] = i;
    }
    const label = (i, panel, value, words, colour) => {
      const x = this.x(v.pos[i]), right = x > this.width / 2;
      return `<text x="${x + (right ? -9 : 9)}" y="${this.y(panel, value) + 4}" fill="${colour}" font-weight="600" ` +
        `text-anchor="${right ? "end" : "start"}">${escaped(words)}</text>`;
    };
    const lead = this.inside.includes(this.lead) && v.p[this.lead] !== null;
    return (lead ? label(this.lead, "p", v.p[this.lead], v.id[this.lead].slice(0, 40), "#222") : "") +
      Object.entries(tops).map(([set, i]) => label(i, "pip", v.functional[i], set, colours.blue)).join("");
  }

  // Describes the variant nearest to the pointer, or marks the part that is being selected.
  point(event, start, x) {
    const [chosen, guide] = ["#chosen", "#guide"].map((id) => this.plot.querySelector(id));
    const set = (element, values) => Object.entries(values).forEach(([name, value]) => element.setAttribute(name, value));
    if (start !== null) return set(chosen, { x: Math.min(start, x), width: Math.abs(x - start), y: 16, height: 504 });
    const y = event.clientY - this.plot.getBoundingClientRect().top, v = this.v;
    const away = (i) => Math.min(...[["p", v.p[i]], ["pip", v.functional[i]], ["ratio", v.ratio[i]]].map(([panel, value]) =>
      value === null ? Infinity : Math.hypot(this.x(v.pos[i]) - x, this.y(panel, value) - y)));
    const nearest = this.inside.map((i) => [away(i), i]).reduce((one, other) => (other[0] < one[0] ? other : one), [30, -1])[1];
    if (nearest < 0) return;
    set(guide, { x1: this.x(v.pos[nearest]), x2: this.x(v.pos[nearest]), y1: 16, y2: 520 });
    this.said.textContent = this.described(nearest);
  }

  save() {
    const v = this.v, names = { variant_id: "id", pos: "pos", neg_log10_p: "p", z: "z", r2_lead: "r2", pip_uniform: "uniform",
      pip_functional: "functional", prior_ratio: "ratio", set_uniform: "set_uniform", set_functional: "set_functional" };
    save(this.figure.dataset.locus, [Object.keys(names), ...this.inside.map((i) => Object.values(names).map((name) => v[name][i]))]);
  }
}

all("figure[data-variants]").forEach((figure) => {
  const open = button("Zoom and read values", async () => new Locus(figure, await unpacked(figure.dataset.variants)));
  figure.prepend(make("div", { class: "tools" }, open));
});
