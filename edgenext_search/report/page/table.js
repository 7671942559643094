// The table of all trials: sorted, filtered, a page at a time, and saved as CSV, JSON or Markdown.
const PAGE = 100, PRINTED = 1000;

class TrialTable {
  constructor(box, trials, actions) {
    this.box = box;
    this.trials = trials;
    this.actions = actions;  // pin(row, from, byKey)
    this.order = trials.data.columns.run ? ["run", 1] : ["Trial", 1];
    this.page = 0;
    this.columns = this.define();
    this.rows = [...Array(trials.count).keys()];
    this.build();
    this.update();
  }

  define() {
    const { trials } = this, get = (name) => (row) => trials.get(row, name), { data } = trials;
    const shape = (name) => (row) => trials.stages(row, name).map((value) => (value === NONE ? "x" : value)).join("-");
    return [
      ...(data.columns.run ? [{ name: "Run", key: "run", text: get("run") }] : []),
      { name: "Trial", key: "trial", value: get("number") },
      { name: "State", key: "state", text: get("state") },
      { name: "Top-1, %", key: "top1", value: (row) => (trials.get(row, "score") === null ? null : 100 * trials.get(row, "score")), text: (row) => percent(trials.get(row, "score")) },
      { name: "Epochs", key: "epochs", value: get("epochs"), text: (row) => String(trials.get(row, "epochs") || NONE) },
      ...trials.costs.filter(({ key }) => key !== "footprint").map(({ key, short }) => ({ name: key === "latency" ? "Latency, predicted" : short, key, value: get(key), text: (row) => costText(key, trials.get(row, key)), unit: key === "latency" ? 1000 : 1 })),
      { name: "Front", key: "front", text: (row) => data.fronts[row] },
      { name: "Candidate", key: "candidate", text: get("fingerprint"), code: true },
      { name: "Origin", key: "origin", text: (row) => data.origins[row] + (data.roles[row] ? ` (${data.roles[row]})` : "") },
      { name: "Widths", key: "widths", text: shape("widths") },
      { name: "Depths", key: "depths", text: shape("depths") },
      { name: "Kernels", key: "kernels", text: shape("kernel_sizes") },
      { name: "SDTA", key: "sdta", text: shape("sdta_blocks") },
      { name: "Splits", key: "splits", text: shape("sdta_splits") },
      { name: "Heads", key: "heads", text: shape("heads") },
      { name: "Expand", key: "expand", value: get("expand_ratio") },
      { name: "Cohort", key: "cohort", value: get("cohort") },
      { name: "Seconds", key: "seconds", value: get("seconds"), text: (row) => trials.get(row, "seconds").toFixed(1) },
      { name: "Seed", key: "seed", value: get("seed") },
      { name: "Note", key: "note", text: (row) => [trials.get(row, "duplicate_of") === null ? "" : `same network as trial ${trials.get(row, "duplicate_of")}`, trials.get(row, "reason") ?? ""].filter(Boolean).join("; "), note: true },
    ];
  }

  build() {
    const states = [...new Set(this.trials.data.columns.state)];
    const again = () => { this.page = 0; this.update(); };
    this.search = html("input", { type: "search", id: "filter", placeholder: "top1>=50 params<1.28M widths=8-24", "aria-describedby": "filter-help", autocomplete: "off", spellcheck: "false", on: { input: again } });
    this.state = html("select", { id: "state", on: { change: again } }, html("option", { value: "" }, "all"), ...states.map((state) => html("option", { value: state }, state)));
    this.front = html("input", { type: "checkbox", id: "front", on: { change: again } });
    this.status = html("span", { class: "count", role: "status" });
    const button = (label, call) => html("button", { type: "button", on: { click: call } }, label);
    this.head = html("tr", {}, ...this.columns.map((column) => html("th", { scope: "col", class: column.value ? "n" : null, "aria-sort": "none" }, html("button", { type: "button", on: { click: () => this.sortBy(column.name) } }, column.name))));
    this.body = html("tbody");
    this.back = button("‹ Previous", () => this.turn(-1));
    this.next = button("Next ›", () => this.turn(1));
    this.where = html("span");
    this.pager = html("p", { class: "pager" }, this.back, this.where, this.next);
    this.scroll = html("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "All trials" }, html("table", { class: "sortable" }, html("thead", {}, this.head), this.body));
    this.box.replaceChildren(
      html("div", { class: "filters" }, html("label", { for: "filter" }, "Filter"), this.search, html("label", { for: "state" }, "State"), this.state, html("label", {}, this.front, " on a front"), this.status,
        html("span", { class: "tools" }, button("CSV", () => save("trials.csv", "text/csv", this.csv())), button("JSON", () => save("trials.json", "application/json", this.json())), button("Markdown", () => save("trials.md", "text/markdown", this.markdown())))),
      html("p", { class: "caption", id: "filter-help" }, "Filter by words, or by column: top1>50, params<1.28M, trial<100, kernels=3-5, origin=search. Terms hold together. Click a row to pin its candidate; CSV, JSON and Markdown have the rows that the filter leaves."),
      this.scroll, this.pager,
    );
    this.body.addEventListener("click", (event) => { const line = event.target.closest("tr"); if (line) this.pick(line); });
    this.body.addEventListener("keydown", (event) => { if (event.key === "Enter" && event.target.matches("tr")) this.pick(event.target, true); });
  }

  pick(line, byKey) {
    this.actions.pin(+line.dataset.row, line, byKey);
  }

  sortBy(name) {
    this.order = [name, this.order[0] === name ? -this.order[1] : 1];
    this.page = 0;
    this.update();
  }

  turn(by) {
    this.page += by;
    this.show();
    this.scroll.scrollTop = 0;
  }

  terms() {
    return this.search.value.trim().split(/\s+/).filter(Boolean).map((term) => {
      const [, key, sign, wanted] = /^([a-z0-9]+)(<=|>=|<|>|=)(.+)$/i.exec(term) ?? [];
      const column = key && this.columns.find((one) => one.key === key.toLowerCase());
      if (!column) { const word = term.toLowerCase(); return (row) => this.words(row).includes(word); }
      const text = column.text ?? ((row) => String(column.value(row)));
      const match = /^(-?[\d.]+)([kmg]?)(?:ms|b)?$/i.exec(wanted);
      if (!column.value || !match) return sign === "=" ? (row) => text(row).toLowerCase().includes(wanted.toLowerCase()) : () => false;
      const number = +match[1] * { "": 1, k: 1e3, m: 1e6, g: 1e9 }[match[2].toLowerCase()] * (column.unit ?? 1);
      const holds = { "<": (a) => a < number, ">": (a) => a > number, "<=": (a) => a <= number, ">=": (a) => a >= number, "=": (a) => a === number }[sign];
      return (row) => { const value = column.value(row); return value !== null && holds(value); };
    });
  }

  words(row) {
    this.lines ??= [];
    return (this.lines[row] ??= this.columns.filter((column) => !column.value).map((column) => column.text(row)).join(" ").toLowerCase());
  }

  update() {
    const terms = this.terms(), { state, fronts } = { state: this.state.value, fronts: this.trials.data.fronts };
    const rows = [];
    for (let row = 0; row < this.trials.count; row += 1) {
      if (state && this.trials.get(row, "state") !== state) continue;
      if (this.front.checked && !fronts[row]) continue;
      if (terms.every((holds) => holds(row))) rows.push(row);
    }
    const [name, order] = this.order, column = this.columns.find((one) => one.name === name) ?? this.columns[0];
    if (column.value) {
      const values = new Map(rows.map((row) => [row, column.value(row)]));
      rows.sort((a, b) => { const x = values.get(a), y = values.get(b); return x === y ? a - b : x === null ? 1 : y === null ? -1 : order * (x - y); });
    } else {
      const values = new Map(rows.map((row) => [row, column.text(row)])), { compare } = new Intl.Collator("en", { numeric: true });
      rows.sort((a, b) => order * compare(values.get(a), values.get(b)) || a - b);
    }
    this.rows = rows;
    this.columns.forEach((one, at) => this.head.cells[at].setAttribute("aria-sort", one !== column ? "none" : order > 0 ? "ascending" : "descending"));
    this.show();
  }

  show() {
    const last = Math.max(0, Math.ceil(this.rows.length / PAGE) - 1);
    this.page = Math.min(Math.max(this.page, 0), last);
    const from = this.page * PAGE, shown = this.rows.slice(from, from + PAGE);
    this.body.replaceChildren(...shown.map((row) => this.line(row)));
    this.status.textContent = this.rows.length === this.trials.count ? `${this.trials.count} trials` : `${this.rows.length} of ${this.trials.count} trials`;
    this.pager.hidden = last === 0;
    this.back.disabled = this.page === 0;
    this.next.disabled = this.page === last;
    this.where.textContent = `${from + 1} to ${from + shown.length} of ${this.rows.length}`;
    this.mark(this.pinned);
  }

  print() {  // all that the filter leaves, as far as paper is for so many; what is not there is said beneath
    const shown = this.rows.slice(0, PRINTED), rest = this.rows.length > PRINTED;
    this.body.replaceChildren(...shown.map((row) => this.line(row)));
    this.pager.hidden = shown.length === this.trials.count;
    this.where.textContent = rest ? `The first ${shown.length} of ${this.status.textContent}` : this.status.textContent;
    this.mark(this.pinned);
  }

  get filtered() {
    return Boolean(this.search.value || this.state.value || this.front.checked);
  }

  line(row) {
    const cells = this.columns.map((column) => {
      const text = column.text ? column.text(row) : String(column.value(row) ?? NONE);
      return html("td", { class: column.value ? "n" : column.key === "state" ? "state" : null }, column.code ? html("code", {}, text) : column.note && text ? html("span", { class: "note" }, text) : text);
    });
    return html("tr", { class: `state-${this.trials.get(row, "state")}`, tabindex: "0", "data-row": row }, ...cells);
  }

  mark(row) {
    this.pinned = row;
    for (const line of this.body.rows) line.classList.toggle("pinned", +line.dataset.row === row);
  }

  csv() {  // as trials.csv: text quoted, numbers as they are
    const { columns, text } = this.trials.data, names = Object.keys(columns);
    const quoted = (value) => `"${String(value).replaceAll('"', '""')}"`;
    const cell = (name, value) => (value === null ? (text.includes(name) ? '""' : "") : text.includes(name) ? quoted(value) : typeof value === "boolean" ? (value ? "True" : "False") : String(value));
    return [names.map(quoted).join(","), ...this.rows.map((row) => names.map((name) => cell(name, columns[name][row])).join(","))].join("\n") + "\n";
  }

  json() {
    const { columns, curves } = this.trials.data, names = Object.keys(columns);
    return JSON.stringify(this.rows.map((row) => ({ ...Object.fromEntries(names.map((name) => [name, columns[name][row]])), curve: curves[row] })), null, 1);
  }

  markdown() {
    const cell = (text) => text.replaceAll("\\", "\\\\").replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll("\n", " ");
    const lines = [this.columns.map((column) => column.name), this.columns.map((column) => (column.value ? "--:" : "---"))];
    for (const row of this.rows) lines.push(this.columns.map((column) => cell(column.text ? column.text(row) : String(column.value(row) ?? NONE))));
    return `${lines.map((line) => `| ${line.join(" | ")} |`).join("\n")}\n`;
  }
}
