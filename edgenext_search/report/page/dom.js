// Elements, numbers in words, files to save. No text becomes markup: it enters by textContent alone.
const NONE = "–";

function html(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, call] of Object.entries(value)) node.addEventListener(event, call);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function countText(count) {
  for (const [unit, suffix] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (count >= unit) {
      const scaled = count / unit;
      return scaled.toFixed(Math.max(0, 3 - Math.floor(Math.log10(scaled)))) + suffix;
    }
  }
  return String(count);
}

function costText(name, value) {
  if (value === null || value === undefined) return NONE;
  if (name === "latency") return `${(value / 1000).toPrecision(4)} ms`;
  return countText(value) + (name === "memory" || name === "footprint" ? "B" : "");
}

const percent = (score) => (score === null ? NONE : (100 * score).toFixed(1));
const epochsText = (epochs) => `${epochs} epoch${epochs === 1 ? "" : "s"}`;

function save(name, type, content) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = html("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

async function copy(text, button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // a page opened as a file may not use the clipboard of every browser
    const area = html("textarea", { class: "hidden" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
}
