// One candidate: its shape drawn stage by stage, its costs and its learning curve.
const STAGE_FIELDS = [["widths", "Width"], ["depths", "Blocks"], ["sdta_blocks", "of which SDTA"], ["kernel_sizes", "Kernel"], ["sdta_splits", "Splits"], ["heads", "Heads"], ["pos_emb", "Positions"]];

class Trials {
  constructor(data) {
    this.data = data;
    this.count = data.origins.length;
    this.costs = data.costs;  // key, label and short name of each cost that the trials have
  }

  get(row, name) {
    return this.data.columns[name][row];
  }

  stages(row, name) {  // as wording.stage_values: NONE where no block of the stage uses the field
    const values = this.get(row, name).split("-"), depths = this.get(row, "depths").split("-"), sdta = this.get(row, "sdta_blocks").split("-");
    return values.map((value, stage) => {
      const used = name === "kernel_sizes" ? +sdta[stage] < +depths[stage] : !["sdta_splits", "heads", "pos_emb"].includes(name) || +sdta[stage] > 0;
      return !used ? NONE : name === "pos_emb" ? (value === "1" ? "yes" : "no") : value;
    });
  }

  score(row) {
    const score = this.get(row, "score");
    return score === null ? "no score" : `${percent(score)} % after ${epochsText(this.get(row, "epochs"))}`;
  }

  name(row) {
    const run = this.data.columns.run?.[row], role = this.data.roles[row];
    return `${run ? `${run}, ` : ""}trial ${this.get(row, "number")}, ${this.data.origins[row]}${role ? `, ${role}` : ""}`;
  }

  words(row) {
    const state = this.get(row, "state"), reason = this.get(row, "reason"), costs = this.costs.filter(({ key }) => ["params", "madds", "latency"].includes(key));
    return [
      `${this.get(row, "fingerprint")}  ${this.name(row)}`,
      state === "complete" ? `top-1 ${this.score(row)}` : `${state}: ${this.score(row)}`,
      costs.map(({ key, label }) => `${costText(key, this.get(row, key))} ${label.toLowerCase()}`).join(", "),
      `widths ${this.get(row, "widths")}, depths ${this.get(row, "depths")}, kernels ${this.stages(row, "kernel_sizes").join("-")}`,
      ...(reason ? [reason.length > 90 ? `${reason.slice(0, 90)}…` : reason] : []),
    ];
  }

  candidate(row) {
    const list = (name) => this.get(row, name).split("-").map(Number);
    return {
      widths: list("widths"), depths: list("depths"), kernel_sizes: list("kernel_sizes"), sdta_splits: list("sdta_splits"), sdta_blocks: list("sdta_blocks"),
      heads: list("heads"), expand_ratio: this.get(row, "expand_ratio"), pos_emb: list("pos_emb").map(Boolean), norm_act: this.get(row, "norm_act"),
    };
  }
}

function drawShape(trials, row) {
  const widths = trials.stages(row, "widths"), depths = trials.stages(row, "depths"), sdta = trials.stages(row, "sdta_blocks");
  const kernels = trials.stages(row, "kernel_sizes"), splits = trials.stages(row, "sdta_splits"), widest = Math.max(...widths);
  const stages = widths.map((width, stage) => {
    const blocks = html("div", { class: "blocks" });
    for (let block = 0; block < +depths[stage]; block += 1) {
      const bar = html("i", { class: block >= depths[stage] - sdta[stage] ? "sdta" : null });
      bar.style.height = `${Math.max((100 * width) / widest, 4)}%`;
      blocks.append(bar);
    }
    const under = html("div", { class: "under" }, html("b", {}, width), kernels[stage] === NONE ? null : html("span", {}, `k ${kernels[stage]}`), splits[stage] === NONE ? null : html("span", {}, `s ${splits[stage]}`));
    const node = html("div", { class: "stage" }, blocks, under);
    node.style.flex = `${depths[stage]} ${depths[stage]} 0`;
    return node;
  });
  return html("div", { class: "stages", role: "img", "aria-label": `widths ${widths}, depths ${depths}, SDTA blocks ${sdta}` }, ...stages);
}

class Card {
  constructor(trials) {
    this.trials = trials;
    this.onClose = () => {};
    this.box = html("aside", { id: "card", class: "sheet", "aria-label": "Pinned candidate", tabindex: "-1", hidden: true });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !this.box.hidden) this.close(); });
    document.querySelector("main").append(this.box);
  }

  open(row, from, byKey) {
    const { trials } = this;
    this.from = from ?? this.from;
    const copyButton = html("button", { type: "button", on: { click: () => copy(JSON.stringify(trials.candidate(row)), copyButton) } }, "Copy as JSON");
    const close = html("button", { type: "button", class: "close", "aria-label": "Close", on: { click: () => this.close() } }, "×");
    const facts = [
      ["State", `${trials.get(row, "state")}${trials.data.fronts[row] ? `, on the front for ${trials.data.fronts[row]}` : ""}`],
      ["Top-1", trials.score(row)],
      ...trials.costs.map(({ key, label }) => [key === "latency" ? "Predicted latency" : label, costText(key, trials.get(row, key))]),
      ["Everywhere", `expand ratio ${trials.get(row, "expand_ratio")}, ${trials.get(row, "norm_act")}`],
      ["Trained", `${trials.get(row, "seconds").toFixed(1)} s, seed ${trials.get(row, "seed")}, cohort ${trials.get(row, "cohort")}`],
      ...(trials.get(row, "duplicate_of") === null ? [] : [["Same as", `trial ${trials.get(row, "duplicate_of")}`]]),
      ...(trials.get(row, "reason") ? [["Failed", trials.get(row, "reason")]] : []),
    ];
    this.box.replaceChildren(
      html("header", {}, html("div", {}, html("code", {}, trials.get(row, "fingerprint")), html("p", {}, trials.name(row))), close),
      drawShape(trials, row),
      html("table", { class: "stages-table" }, html("thead", {}, html("tr", {}, html("th", {}, html("span", { class: "hidden" }, "Field")), ...[1, 2, 3, 4].map((stage) => html("th", { scope: "col" }, `${stage}`)))),
        html("tbody", {}, ...STAGE_FIELDS.map(([name, label]) => html("tr", {}, html("th", { scope: "row" }, label), ...trials.stages(row, name).map((value) => html("td", {}, value)))))),
      this.curve(row),
      html("dl", { class: "facts" }, ...facts.map(([name, value]) => html("div", {}, html("dt", {}, name), html("dd", {}, value)))),
      html("p", { class: "tools" }, copyButton),
    );
    this.box.hidden = false;
    if (byKey) this.box.focus({ preventScroll: true });
    this.row = row;
    const figure = this.box.querySelector("figure");
    if (figure) new Chart(figure, this.curvePlot(row), { tell: (other) => trials.words(other), pin: () => {} });
  }

  curve(row) {
    if (!this.trials.data.curves[row].some(([, score]) => score !== null)) return html("p", { class: "caption" }, "It finished no rung, so it has no learning curve.");
    return html("figure", { class: "chart", id: "fig-curve" }, html("figcaption", {}, html("b", {}, "Learning curve"), html("span", {}, "Top-1 at each rung, %; grey: winner or baseline")), html("div", { class: "plot", tabindex: "0" }));
  }

  curvePlot(row) {
    const { curves, roles, columns } = this.trials.data;
    const run = columns.run?.[row];
    const line = (which, name, color, faint) => ({
      name, style: { kind: "line", color, shape: "circle", filled: true, size: 7, dashed: faint, faint },
      x: curves[which].map(([epoch]) => epoch), y: curves[which].map(([, score]) => (score === null ? null : 100 * score)),
      rows: curves[which].map(() => which), notes: curves[which].map(([epoch, score]) => `${name}: ${percent(score)} %\nafter ${epochsText(epoch)}`),
    });
    const dots = (series) => ({ ...series, style: { ...series.style, kind: "points" } });
    const others = Object.entries(roles).filter(([other, role]) => +other !== row && role !== "finalist" && columns.run?.[other] === run).map(([other, role]) => line(+other, role, "quiet", true));
    const mine = line(row, "this candidate", "search", false);
    return { title: "Learning curve", x_label: "", y_label: "", series: [...others, ...others.map(dots), mine, dots(mine)], marks: [], bands: [], whole: true, small: true };
  }

  close() {
    const { activeElement } = document, elsewhere = activeElement !== document.body && !this.box.contains(activeElement);
    this.box.hidden = true;
    this.onClose();
    if (!elsewhere) this.from?.focus({ preventScroll: true });
  }
}
