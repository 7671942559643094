// The page as a whole: theme, tabs, copy buttons, figures, the table and what is pinned.
const root = document.documentElement;
const THEMES = ["auto", "light", "dark"];

function remembered(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch { return null; }  // some browsers keep nothing for files
}

function setTheme(theme) {
  if (theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = theme;
  document.getElementById("theme").textContent = `Theme: ${theme}`;
}

function switchTheme() {
  const theme = THEMES[(THEMES.indexOf(root.dataset.theme ?? "auto") + 1) % THEMES.length];
  setTheme(theme);
  remembered("edgenext-search-theme", theme);
}

function openTab(tab, focus) {
  const list = tab.closest("[role=tablist]");
  for (const other of list.querySelectorAll("[role=tab]")) {
    other.setAttribute("aria-selected", String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = other !== tab;
  }
  if (focus) tab.focus();
}

function listenToTabs() {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    tab.addEventListener("click", () => openTab(tab));
    tab.addEventListener("keydown", (event) => {
      const tabs = [...tab.closest("[role=tablist]").querySelectorAll("[role=tab]")], move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (move) openTab(tabs[(tabs.indexOf(tab) + move + tabs.length) % tabs.length], true);
    });
  }
}

function addCopyButtons() {
  for (const block of document.querySelectorAll("pre.copy")) {
    const button = html("button", { type: "button", on: { click: () => copy(block.querySelector("code").textContent, button) } }, "Copy");
    block.append(button);
  }
}

function start() {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const figures = read("data-figures"), trials = new Trials(read("data-trials"));
  const charts = [];
  const card = new Card(trials);
  const box = document.getElementById("trials-table");
  let table = null;
  const pin = (row, from, byKey) => {
    for (const chart of charts) chart.pin(row);
    table?.mark(row);
    if (row !== null) card.open(row, from, byKey);
  };
  card.onClose = () => pin(null);
  for (const [id, plot] of Object.entries(figures)) {
    const figure = document.getElementById(id);
    if (figure) charts.push(new Chart(figure, plot, { tell: (row) => trials.words(row), pin }));
  }
  if (box && trials.count) table = new TrialTable(box, trials, { pin });
  window.addEventListener("beforeprint", () => table?.print());
  window.addEventListener("afterprint", () => table?.show());
  let width = window.innerWidth, waiting = 0;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(() => charts.forEach((chart) => chart.draw()), 120);
  });
  if (root.dataset.live) setInterval(() => { if (card.box.hidden && !table?.filtered && !document.hidden) location.reload(); }, 60_000);
}

setTheme(remembered("edgenext-search-theme") ?? "auto");
document.getElementById("theme").addEventListener("click", switchTheme);
document.getElementById("print").addEventListener("click", () => window.print());
listenToTabs();
addCopyButtons();
start();
root.dataset.ready = "yes";
