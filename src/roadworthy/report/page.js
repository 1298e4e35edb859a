"use strict";
(() => {
  const ROWS = innerWidth < 740 ? 20 : 60; // verdicts shown at first
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const one = (id) => document.getElementById(id);
  const body = (table) => table.tBodies[0];

  // Light, dark
  const theme = one("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const show = () => theme.setAttribute("aria-pressed", String(isDark()));
  theme.hidden = false;
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    show();
  });
  dark.addEventListener("change", show);
  show();

  // Sort
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = Number(text);
    return { empty: text === "", number: text !== "" && !Number.isNaN(number) ? number : null, text };
  };
  const compare = (a, b, up) => {
    if (a.empty !== b.empty) return a.empty ? 1 : -1; // what has no value comes last either way
    const order = a.number !== null && b.number !== null
      ? a.number - b.number
      : a.text.localeCompare(b.text, "en", { numeric: true });
    return up ? order : -order;
  };
  const sort = (table, column, head) => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...body(table).rows].map((row) => [key(row, column), row]);
    rows.sort((a, b) => compare(a[0], b[0], up));
    body(table).append(...rows.map(([, row]) => row));
    if (table.closest("#verdicts")) filter();
  };
  for (const table of all("table")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, column, head));
      head.append(button);
    });
  }

  // Copy
  const tsv = (table) => [...table.rows]
    .filter((row) => !row.hidden)
    .map((row) => [...row.cells].map((cell) => {
      const exact = cell.classList.contains("number") && cell.dataset.value !== undefined && cell.tagName === "TD";
      if (exact) return cell.dataset.value;
      const text = cell.textContent.replace(/\s+/g, " ").trim();
      return /^[=+\-@]/.test(text) ? `'${text}` : text; // a word of a record is no formula of a spreadsheet
    }).join("\t")).join("\n");
  const old = (text) => {
    const area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("readonly", "");
    area.style.position = "fixed";
    area.style.opacity = "0";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return old(text);
    }
  };
  for (const button of all("button.copy")) {
    button.addEventListener("click", async () => {
      const from = one(button.dataset.copies);
      const table = from.querySelector("table");
      const done = await copy(table ? tsv(table) : from.textContent.trimEnd());
      one("told").textContent = done ? "Copied." : "The browser did not let this be copied.";
      const word = button.firstChild;
      word.textContent = done ? "Copied" : "Not copied";
      button.focus();
      setTimeout(() => { word.textContent = "Copy"; one("told").textContent = ""; }, 1600);
    });
  }

  // Filter the verdicts
  const filters = one("filters"), more = one("more"), verdicts = one("verdicts").querySelector("table");
  let everything = false;
  const filter = () => {
    if (!verdicts) return;
    const outcomes = new Set(all("input:checked", filters).map((box) => box.value));
    const model = filters.querySelector("select").value;
    const rows = [...body(verdicts).rows];
    let shown = 0;
    for (const row of rows) {
      const [outcome, own] = row.dataset.filter.split(" ");
      row.hidden = !(outcomes.has(outcome) && (!model || own === model));
      if (!row.hidden) shown += 1;
      row.classList.toggle("later", !row.hidden && shown > ROWS);
    }
    const cut = !everything && shown > ROWS;
    verdicts.classList.toggle("capped", cut);
    more.hidden = !cut;
    more.textContent = `Show all ${shown} rows`;
    one("shown").textContent = `${cut ? ROWS : shown} of ${rows.length} rows shown`;
  };
  filters.hidden = false;
  filters.addEventListener("change", filter);
  more.addEventListener("click", () => {
    everything = true;
    filter();
    verdicts.closest(".scroll").focus();
  });
  filter();

  // Print what is folded away
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    for (const folded of closed) folded.open = true;
  });
  addEventListener("afterprint", () => { for (const folded of closed) folded.open = false; });
})();
