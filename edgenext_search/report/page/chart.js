// Draws one figure (edgenext_search/report/plot.py) as SVG: one path for all marks of a series, so that
// thousands of trials stay light.
const REACH = 26;  // pixels from the pointer to the mark that it means

function markPath(shape, x, y, r) {
  if (shape === "circle") return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
  if (shape === "square") return `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`;
  if (shape === "diamond") return `M${x} ${y - r * 1.2}l${r * 1.2} ${r * 1.2}l${-r * 1.2} ${r * 1.2}l${-r * 1.2} ${-r * 1.2}z`;
  if (shape === "triangle") return `M${x} ${y - r * 1.1}l${r * 1.1} ${r * 1.9}h${-r * 2.2}z`;
  if (shape === "cross") return `M${x - r} ${y - r}l${2 * r} ${2 * r}M${x - r} ${y + r}l${2 * r} ${-2 * r}`;
  let d = "";
  for (let tip = 0; tip < 10; tip += 1) {
    const long = tip % 2 ? r * 0.48 : r * 1.15, angle = (tip * Math.PI) / 5 - Math.PI / 2;
    d += `${tip ? "L" : "M"}${(x + long * Math.cos(angle)).toFixed(1)} ${(y + long * Math.sin(angle)).toFixed(1)}`;
  }
  return `${d}z`;
}

function ticksOf(low, high, count, whole = false) {
  const rough = Math.max((high - low) / Math.max(count, 1), whole ? 1 : 0), power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (whole && power < 10 ? [1, 2, 5, 10] : [1, 2, 2.5, 5, 10]).find((factor) => factor * power >= rough - 1e-12);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + 1e-9 * step; at += 1) found.push(at * step);
  let decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  if (step === 2.5 * power && power < 10) decimals += 1;
  return found.map((value) => [value, value === 0 && decimals === 0 ? "0" : high >= 1e6 ? `${(value / 1e6).toFixed(step < 1e6 ? (step < 1e5 ? 2 : 1) : 0)}M`
    : high >= 1e4 && decimals === 0 ? `${(value / 1e3).toFixed(step < 1e3 ? 1 : 0)}k` : value.toFixed(decimals).replace("-", "−")]);
}

function logTicksOf(low, high, count) {  // the roundest digits first, as far as there is room
  const found = [], room = (0.6 * Math.log(high / low)) / count;
  for (const digit of [1, 2, 5, 3, 7, 4, 6, 8, 9]) {
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
      const value = Number(`${digit}e${power}`);
      if (value >= low && value <= high && found.every(([other]) => Math.abs(Math.log(value / other)) >= room)) {
        found.push([value, value >= 1e6 ? `${value / 1e6}M` : value >= 1e4 ? `${value / 1e3}k` : String(value)]);
      }
    }
  }
  return found.length > 2 ? found : ticksOf(low, high, count);
}

class Chart {
  constructor(figure, plot, actions) {
    this.figure = figure;
    this.plot = plot;
    this.actions = actions;  // tell(row), pin(row)
    this.hidden = new Set();
    this.view = null;
    this.pinned = null;
    this.host = figure.querySelector(".plot");
    this.host.replaceChildren();
    this.tip = html("div", { class: "tip", role: "status", hidden: true });
    this.reset = html("button", { type: "button", hidden: true, on: { click: () => { this.view = null; this.draw(); } } }, "Reset zoom");
    this.legend = html("div", { class: "legend" });
    if (!plot.small) {
      const tools = html("div", { class: "tools" }, this.reset,
        html("button", { type: "button", on: { click: () => this.saveSvg() }, "aria-label": `Save “${plot.title}” as SVG` }, "SVG"),
        html("button", { type: "button", on: { click: () => this.savePng() }, "aria-label": `Save “${plot.title}” as PNG` }, "PNG"));
      figure.querySelector("figcaption").append(tools);
      this.host.after(html("div", { class: "across" }, plot.x_label), this.legend);
      this.drawLegend();
    }
    this.listen();
    this.draw();
    figure.chart = this;
  }

  shown() {
    return this.plot.series.filter((series) => !this.hidden.has(series.name));
  }

  range(axis, panel) {
    const fixed = this.plot[`${axis}_range`], names = this.plot[`${axis}_names`];
    if (this.view && !panel) return this.view[axis];
    if (this.view && axis === "x") return this.view.x;
    if (names) return [-0.5, names.length - 0.5];
    if (fixed && !panel) return fixed;
    let low = Infinity, high = -Infinity;
    const take = (value) => { if (value !== null && value !== undefined) { low = Math.min(low, value); high = Math.max(high, value); } };
    for (const series of this.shown()) {
      if (axis === "y" && (series.panel ?? 0) !== panel) continue;
      for (const value of series[axis]) take(value);
      if (axis === "y") for (const ends of [series.low, series.high]) if (ends) for (const value of ends) take(value);
      if (axis === "x" && series.style.kind === "bar") take(0);
    }
    if (axis === "x") for (const [at] of this.plot.marks) take(at);
    if (low > high) return [0, 1];
    if (axis === "x" && this.plot.x_log) {
      const room = (high / low || 1) ** 0.05;
      return room > 1 ? [low / room, high * room] : [low / 1.1, high * 1.1];
    }
    const pad = (high - low || Math.abs(high) * 0.1 || 1) * 0.05;
    return this.plot.y_names && axis === "x" ? [low, high + pad] : [low - pad, high + pad];
  }

  draw() {
    const { plot } = this, width = Math.max(this.width(), 150), two = plot.series.some((series) => series.panel);
    const named = plot.y_names?.length ?? 0;
    const height = plot.small ? 168 : named ? 34 + 24 * named : two ? (width <= 520 ? 400 : 450) : width <= 520 ? 290 : 340;
    const top = plot.marks.length || plot.bands.length ? 22 : 8, bottom = plot.small && width < 60 ? 30 : 26;
    const inner = height - top - bottom;
    const bands = two ? [[top, top + 0.66 * inner], [top + 0.8 * inner, top + inner]] : [[top, top + inner]];
    const yTicks = bands.map((band, panel) => {
      if (plot.y_names) return plot.y_names.map((name, index) => [index, name]);
      const [low, high] = this.range("y", panel);
      return ticksOf(low, high, Math.max(2, (band[1] - band[0]) / (plot.small ? 30 : 60)));
    });
    const longest = Math.max(...yTicks.flat().map(([, text]) => text.length), 1);
    const left = Math.min(12 + 7 * longest, width * 0.45), right = 14;
    const [xLow, xHigh] = this.range("x", 0);
    const across = plot.x_log ? Math.log10 : (value) => value;
    const x = (value) => left + ((across(value) - across(xLow)) / (across(xHigh) - across(xLow) || 1)) * (width - left - right);
    const ys = bands.map(([from, to], panel) => {
      const [low, high] = this.range("y", panel);
      return plot.y_names ? (value) => from + ((value - low) / (high - low)) * (to - from)
        : (value) => to - ((value - low) / (high - low || 1)) * (to - from);
    });
    this.scale = { x, ys, bands, left, right: width - right, width, height, xRange: [xLow, xHigh], yRange: this.range("y", 0) };
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
    const clip = `clip-${this.figure.id}`;
    root.append(svg("defs", {}, ...bands.map(([from, to], panel) => svg("clipPath", { id: `${clip}-${panel}` },
      svg("rect", { x: left - 6, y: from - 12, width: width - left - right + 16, height: to - from + 18 })))));
    plot.bands.forEach(([from, to, text], index) => {
      const a = Math.max(x(from), left), b = Math.min(x(to), width - right);
      if (b <= a) return;
      if (index % 2) root.append(svg("rect", { class: "band", x: a, y: top, width: b - a, height: inner }));
      const each = Math.ceil(plot.bands.length / Math.max(4, (width - left) / 60));
      if (index % each === 0) root.append(this.text(index ? text : `cohort ${text}`, a + 2, top - 6, "start"));
    });
    bands.forEach(([from, to], panel) => {
      for (const [value, text] of yTicks[panel]) {
        const at = ys[panel](value);
        if (!plot.y_names) root.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: at, y2: at }));
        root.append(this.text(text, left - 8, at + 4, "end"));
      }
    });
    if (two) root.append(this.text("Stopped early, on a scale of their own", left, bands[1][0] - 8, "start"));
    const xTicks = plot.x_names ? plot.x_names.map((name, index) => [index, name]) : (plot.x_log ? logTicksOf : ticksOf)(xLow, xHigh, (width - left) / (plot.small ? 48 : 84), plot.whole);
    const skip = plot.x_names ? Math.ceil((plot.x_names.length * (7 * Math.max(...plot.x_names.map((name) => name.length)) + 6)) / (width - left)) : 1;
    xTicks.forEach(([value, text], index) => {
      if (index % skip) return;
      const at = x(value);
      if (at < left - 1 || at > width - right + 1) return;
      root.append(svg("line", { class: "grid", x1: at, x2: at, y1: top + inner, y2: top + inner + 4 }), this.text(text, at, top + inner + 18, "middle"));
    });
    for (const [value, text] of plot.marks) {
      const at = x(value);
      if (at < left || at > width - right + 1) continue;
      root.append(svg("line", { class: "mark", x1: at, x2: at, y1: top - 2, y2: top + inner }), this.text(text, at, top - 8, at > width / 2 ? "end" : "start"));
    }
    this.points = [];
    for (const series of this.shown()) {
      const panel = series.panel ?? 0;
      root.append(this.drawSeries(series, x, ys[panel], `${clip}-${panel}`));
    }
    this.over = svg("g");
    root.append(this.over);
    this.points.sort((a, b) => a.x - b.x || a.y - b.y);
    this.root = root;
    this.host.replaceChildren(root, this.tip);
    this.reset.hidden = !this.view;
    this.highlight();
  }

  width() {
    for (let node = this.host; node; node = node.parentElement) {
      if (node.clientWidth) return node.matches(".pair, [role=tabpanel]") && window.innerWidth > 900 ? (node.clientWidth - 32) / 2 : node.clientWidth;
    }
    return 640;
  }

  text(content, x, y, anchor) {
    const node = svg("text", { x, y, "text-anchor": anchor });
    node.textContent = content;
    return node;
  }

  drawSeries(series, x, y, clip) {
    const { style } = series, color = `var(--${style.color})`;
    const group = svg("g", { "clip-path": `url(#${clip})`, opacity: style.faint ? 0.75 : null, "data-series": series.name });
    const xs = series.x.map(x), ys = series.y.map((value) => (value === null ? null : y(value)));
    const stroke = (d, width) => svg("path", { d, fill: "none", style: `stroke:${color};stroke-width:${width}px`, "stroke-dasharray": style.dashed ? "5 4" : null });
    if (style.kind === "bar") {
      const thick = Math.min(16, 0.66 * Math.abs(y(1) - y(0)));
      group.append(svg("path", { d: xs.map((at, i) => `M${x(0)} ${ys[i] - thick / 2}H${at}v${thick}H${x(0)}z`).join(""), style: `fill:${color}` }));
    } else if (style.kind === "area") {
      const edge = (values) => xs.map((at, i) => `${at.toFixed(1)} ${y(values[i]).toFixed(1)}`);
      group.append(svg("path", { d: `M${[...edge(series.high), ...edge(series.low).reverse()].join("L")}z`, style: `fill:${color}`, opacity: 0.15 }));
    } else if (style.kind !== "points") {
      let d = "", pen = false;
      xs.forEach((at, i) => {
        if (ys[i] === null) { pen = false; return; }
        d += !pen ? `M${at.toFixed(1)} ${ys[i].toFixed(1)}` : style.kind === "step" ? `H${at.toFixed(1)}V${ys[i].toFixed(1)}` : `L${at.toFixed(1)} ${ys[i].toFixed(1)}`;
        pen = true;
      });
      group.append(stroke(d, style.faint ? 1.1 : 1.7));
    } else {
      const many = xs.length > 150 ? 0.65 : 1, r = (style.size / 2) * (style.size > 10 ? 1 : many);
      if (series.low) {
        const bars = xs.map((at, i) => (series.low[i] === null || ys[i] === null ? "" : `M${at} ${y(series.low[i])}V${y(series.high[i])}m-3 0h6M${at - 3} ${y(series.low[i])}h6`));
        group.append(stroke(bars.join(""), 1.3));
      }
      const d = xs.map((at, i) => (ys[i] === null ? "" : markPath(style.shape, +at.toFixed(1), +ys[i].toFixed(1), r))).join("");
      group.append(style.filled && style.shape !== "cross" ? svg("path", { d, style: `fill:${color}` }) : stroke(d, style.size > 15 ? 2.6 : 1.4));
    }
    this.label(group, series, xs, ys, color);
    if (series.rows || series.notes || style.kind === "points") {
      xs.forEach((at, i) => { if (ys[i] !== null) this.points.push({ x: at, y: ys[i], series, i, row: series.rows?.[i] ?? -1 }); });
    }
    return group;
  }

  label(group, series, xs, ys, color) {
    const taken = series.panel ? [[this.scale.left, this.scale.bands[1][0] - 20, 270, 14]] : []; // the title of the panel
    (series.labels ?? []).forEach((content, i) => {
      if (!content || ys[i] === null) return;
      const wide = 7 * content.length;
      const places = [[9, -7, "start"], [-9, -7, "end"], [9, 15, "start"], [-9, 15, "end"], [0, -13, "middle"], [0, 21, "middle"]];
      const box = ([dx, dy, anchor]) => [xs[i] + dx - (anchor === "end" ? wide : anchor === "middle" ? wide / 2 : 0), ys[i] + dy - 11, wide, 12];
      const free = places.find((place) => {
        const [a, b, w, h] = box(place);
        return a > this.scale.left - 8 && a + w < this.scale.width && !taken.some(([c, d, v, g]) => a < c + v && c < a + w && b < d + g && d < b + h);
      }) ?? places[0];
      taken.push(box(free), [xs[i] - 6, ys[i] - 6, 12, 12]);
      const node = this.text(content, xs[i] + free[0], ys[i] + free[1], free[2]);
      node.setAttribute("class", "point-label");
      node.setAttribute("style", `fill:${color}`);
      group.append(node);
    });
  }

  drawLegend() {
    for (const series of this.plot.series) {
      if (series.legend === false) continue;
      const key = svg("svg", { width: 22, height: 14, "aria-hidden": "true" }), { style } = series;
      const color = `var(--${style.color})`, line = style.kind !== "points";
      const d = style.kind === "bar" || style.kind === "area" ? "M3 3h16v8h-16z" : line ? "M1 7h20" : markPath(style.shape, 11, 7, Math.min(style.size, 11) / 2);
      const solid = style.kind === "bar" || style.kind === "area" || (!line && style.filled && style.shape !== "cross");
      key.append(svg("path", { d, style: solid ? `fill:${color}` : `fill:none;stroke:${color};stroke-width:1.6px`, "stroke-dasharray": style.dashed ? "5 4" : null, opacity: style.kind === "area" ? 0.3 : null }));
      const button = html("button", { type: "button", "aria-pressed": "true", on: { click: () => {
        const off = !this.hidden.delete(series.name);
        if (off) this.hidden.add(series.name);
        button.setAttribute("aria-pressed", String(!off));
        this.draw();
      } } }, key, series.name);
      this.legend.append(button);
    }
  }

  listen() {
    const { host } = this;
    const where = (event) => { const box = host.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    let start = null, dragged = false;
    host.addEventListener("pointerdown", (event) => {
      dragged = false;
      start = event.pointerType === "mouse" && event.button === 0 && !this.plot.small && !this.plot.y_names ? where(event) : null;
    });
    host.addEventListener("pointermove", (event) => {
      const at = where(event);
      if (start && Math.hypot(at[0] - start[0], at[1] - start[1]) > 6) {
        dragged = true;
        host.setPointerCapture(event.pointerId);
        const [a, b] = start;
        this.over.replaceChildren(svg("rect", { class: "zoom", x: Math.min(a, at[0]), y: Math.min(b, at[1]), width: Math.abs(at[0] - a), height: Math.abs(at[1] - b) }));
        return;
      }
      this.show(this.nearest(...at));
    });
    host.addEventListener("pointerup", (event) => {
      if (start && dragged) this.zoom(start, where(event));
      start = null;
    });
    host.addEventListener("pointercancel", () => { start = null; });
    host.addEventListener("pointerleave", () => this.show(null));
    host.addEventListener("dblclick", () => { this.view = null; this.draw(); });
    host.addEventListener("click", (event) => {
      if (dragged) { dragged = false; return; }
      const point = this.nearest(...where(event));
      this.show(point);
      if (point && point.row >= 0) this.actions.pin(point.row, host);
    });
    host.addEventListener("keydown", (event) => {
      const move = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
      if (move !== undefined && this.points.length) {
        const now = this.points.indexOf(this.current);
        this.show(this.points[Math.min(Math.max(now < 0 ? 0 : now + move, 0), this.points.length - 1)]);
      } else if ((event.key === "Enter" || event.key === " ") && this.current) {
        if (this.current.row >= 0) this.actions.pin(this.current.row, host, true);
      } else if (event.key === "Escape" && this.current) {
        this.show(null);
      } else return;
      event.preventDefault();
    });
    host.addEventListener("blur", () => this.show(null));
  }

  nearest(x, y) {
    let best = null, least = REACH;
    for (const point of this.points) {
      const distance = Math.hypot(point.x - x, point.y - y);
      if (distance < least || (distance === least && point.row >= 0)) { best = point; least = distance; }
    }
    return best;
  }

  zoom(from, to) {
    const { bands, left, right, xRange, yRange } = this.scale, [top, bottom] = bands[0];
    const share = (value, low, high) => Math.min(Math.max((value - low) / (high - low), 0), 1);
    const cut = ([low, high], a, b) => [low + (high - low) * Math.min(a, b), low + (high - low) * Math.max(a, b)];
    const log = this.plot.x_log, ends = cut(log ? xRange.map(Math.log10) : xRange, share(from[0], left, right), share(to[0], left, right));
    const xs = log ? ends.map((end) => 10 ** end) : ends;
    const ys = cut(yRange, 1 - share(from[1], top, bottom), 1 - share(to[1], top, bottom));
    if (xs[1] > xs[0] && ys[1] > ys[0]) this.view = { x: xs, y: ys };
    this.draw();
  }

  show(point) {
    if (point === this.current && !this.tip.hidden) return;
    this.current = point;
    this.highlight();
    this.tip.hidden = !point;
    if (!point) return;
    const [title, ...lines] = this.words(point);
    this.tip.replaceChildren(html("b", {}, title), ...lines.map((line) => html("span", {}, line)));
    const { width } = this.scale, wide = this.tip.offsetWidth, high = this.tip.offsetHeight;
    this.tip.style.left = `${Math.min(Math.max(point.x + (point.x > width / 2 ? -wide - 14 : 14), 0), Math.max(width - wide, 0))}px`;
    this.tip.style.top = `${Math.max(point.y - high / 2, 0)}px`;
  }

  words(point) {
    const { series, i, row } = point;
    if (series.notes?.[i]) return series.notes[i].split("\n");
    if (row >= 0) return this.actions.tell(row);
    return [series.name, `${series.x[i]}, ${series.y[i]}`];
  }

  highlight() {
    const marks = this.points.filter((point) => point.row >= 0 && point.row === this.pinned && point.series.style.kind === "points");
    const rings = marks.map((point) => svg("circle", { class: "pinned", cx: point.x, cy: point.y, r: 9 }));
    if (this.current && this.points.includes(this.current)) rings.push(svg("circle", { class: "hovered", cx: this.current.x, cy: this.current.y, r: 7 }));
    this.over.replaceChildren(...rings);
  }

  pin(row) {
    this.pinned = row;
    this.highlight();
  }

  standalone() {
    const { width, height } = this.scale, head = 46;
    const rows = Math.ceil(this.plot.series.length / Math.max(1, Math.floor(width / 230)));
    const all = svg("svg", { xmlns: "http://www.w3.org/2000/svg", width, height: head + height + 24 + 20 * rows, viewBox: `0 0 ${width} ${head + height + 24 + 20 * rows}` });
    const body = svg("g", { transform: `translate(0 ${head})` });
    body.append(...[...this.root.cloneNode(true).childNodes]);
    const title = this.text(this.plot.title, 2, 17, "start"), up = this.text(this.plot.y_label, 2, 36, "start");
    title.setAttribute("class", "head");
    all.append(svg("rect", { class: "paper", width: "100%", height: "100%" }), title, up, body, this.text(this.plot.x_label, width / 2, head + height + 12, "middle"));
    [...this.legend.children].forEach((button, index) => {
      const each = Math.max(1, Math.floor(width / 230));
      const key = svg("g", { transform: `translate(${(index % each) * 230} ${head + height + 24 + 20 * Math.floor(index / each)})` });
      key.append(...button.querySelector("svg").cloneNode(true).childNodes, this.text(button.textContent, 28, 11, "start"));
      all.append(key);
    });
    this.host.append(all);  // to be computed, a style has to be in the page
    for (const node of all.querySelectorAll("*")) {
      const style = getComputedStyle(node);
      const names = node.tagName === "text" ? ["fill", "font-size", "font-family", "font-weight"] : ["fill", "stroke", "stroke-width"];
      const inline = names.map((name) => [name, style.getPropertyValue(name)]);
      node.removeAttribute("style");
      node.removeAttribute("class");
      if (["path", "rect", "line", "circle", "text"].includes(node.tagName)) for (const [name, value] of inline) node.setAttribute(name, value);
    }
    all.remove();
    return [new XMLSerializer().serializeToString(all), width, head + height + 24 + 20 * rows];
  }

  saveSvg() {
    save(`${this.figure.id}.svg`, "image/svg+xml", this.standalone()[0]);
  }

  savePng() {
    const [text, width, height] = this.standalone(), image = new Image();
    image.onload = () => {
      const canvas = html("canvas", { width: 2 * width, height: 2 * height }), pen = canvas.getContext("2d");
      pen.scale(2, 2);
      pen.drawImage(image, 0, 0, width, height);
      canvas.toBlob((blob) => save(`${this.figure.id}.png`, "image/png", blob));
      URL.revokeObjectURL(image.src);
    };
    image.src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  }
}
