"use strict";
(() => {
  const content = JSON.parse(document.getElementById("content").textContent);
  const KEYS = ["dataset", "index", "search"];
  const NAMES = { index: "engine", search: "ef_search" }; // in the address

  // Frames come by columns; what repeats as codes
  const rowsOf = (columns) => {
    const names = Object.keys(columns);
    const of = names.map((name) => {
      const column = columns[name];
      return Array.isArray(column) ? (i) => column[i] : (i) => column.values[column.codes[i]];
    });
    const first = names.length ? columns[names[0]] : [];
    const count = Array.isArray(first) ? first.length : first.codes.length;
    return Array.from({ length: count }, (_, i) => Object.fromEntries(names.map((name, j) => [name, of[j](i)])));
  };
  const charts = Object.fromEntries(
    Object.entries(content.charts).map(([name, chart]) => [name, { ...chart, rows: rowsOf(chart.rows) }]),
  );
  // Other fields that choose the rows of some charts, with their values
  const others = {};
  for (const chart of Object.values(charts))
    for (const key of chart.by.filter((one) => one !== "k" && !KEYS.includes(one)))
      others[key] = [...new Set(chart.rows.map((row) => row[key]))];
  const element = (name, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  };

  const save = (name, address) => element("a", { href: address, download: name }).click();

  // One choice for all charts; it is in the address
  const choice = {};
  const form = document.getElementById("choice");
  const scales = [...document.querySelectorAll("input[name=scale]")];
  const fits = (setting, upTo) => KEYS.slice(0, upTo).every((key) => setting[key] === choice[key]);
  const settle = () => { // and what was asked for and is not there
    const missing = [];
    const checked = (key, values) => {
      if (values.includes(choice[key])) return;
      if (choice[key] !== undefined) missing.push(`${NAMES[key] ?? key} ${choice[key]}`);
      choice[key] = values[0];
    };
    KEYS.forEach((key, place) => {
      const values = [...new Set(content.settings.filter((one) => fits(one, place)).map((one) => one[key]))];
      checked(key, values);
      const select = form.elements[key];
      select.replaceChildren(...values.map((value) => element("option", { value, textContent: value })));
      select.value = choice[key];
      select.disabled = values.length < 2;
    });
    for (const [key, values] of Object.entries(others)) {
      checked(key, values);
      if (form.elements[key]) form.elements[key].value = choice[key];
    }
    return missing;
  };
  const fromAddress = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const key of [...KEYS, ...Object.keys(others)]) choice[key] = given.get(NAMES[key] ?? key) ?? choice[key];
    const asked = given.get("scale");
    const scale = scales.some((input) => input.value === asked) ? asked : null;
    for (const input of scales) input.checked = scale ? input.value === scale : input.defaultChecked;
  };
  const toAddress = () => {
    const chosen = [...KEYS, ...Object.keys(others)].filter((key) => form.elements[key]);
    const given = new URLSearchParams(chosen.map((key) => [NAMES[key] ?? key, choice[key]]));
    const scale = scales.find((input) => input.checked && !input.defaultChecked);
    if (scale) given.set("scale", scale.value);
    history.replaceState(null, "", `#${given}`);
  };
  const missed = element("p", { className: "warning", id: "missing", hidden: true });
  missed.setAttribute("role", "status");
  const settleAddress = () => {
    fromAddress();
    const missing = settle();
    missed.hidden = !missing.length;
    missed.textContent = missing.length ? `The address asks for ${missing.join(", ")}, which is not here.` : "";
    if (missing.length) toAddress();
  };

  const chosenRows = (chart) => {
    const setting = content.settings.find((one) => fits(one, KEYS.length));
    const by = chart.by.filter((key) => chart.rows.length && key in chart.rows[0]);
    return chart.rows.filter((row) => by.every((key) => row[key] === (key === "k" ? setting.k : choice[key])));
  };
  const shown = (value) =>
    value === null || value === undefined ? "" : typeof value === "number" && !Number.isInteger(value) ? String(+value.toPrecision(6)) : String(value);
  const plainTable = (rows, left) => {
    if (!rows.length) return element("p", { className: "note", textContent: "Nothing of this setting." });
    const names = Object.keys(rows[0]).filter((name) => !left.includes(name));
    const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col", textContent: name, className: typeof rows[0][name] === "number" ? "" : "text" })));
    const lines = rows.map((row) => element("tr", {}, ...names.map((name) => cell(row[name]))));
    const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines));
    return scrolled(table, "Figures of the chart");
  };
  const cell = (value) => {
    const text = shown(value);
    return element("td", { textContent: text, className: typeof value === "number" ? "" : "text", title: text.length > 40 ? text : "" });
  };
  const scrolled = (table, label) => {
    const box = element("div", { className: "scroll", tabIndex: 0 }, table);
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", label);
    return box;
  };
  const drawn = {}; // by chart what ends its view
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const draw = async (name, light = false) => {
    const chart = charts[name];
    const box = document.querySelector(`[data-chart="${name}"]`);
    if (!box || box.closest("[hidden]")) return;
    const rows = chosenRows(chart);
    const figures = document.querySelector(`[data-figures="${name}"]`);
    const write = () => figures.replaceChildren(plainTable(rows.filter((row) => !["line", "reading"].includes(row.kind)), [...chart.by, "place", "absolute"]));
    figures.parentElement.ontoggle = write;
    if (figures.parentElement.open) write();
    if (!rows.length) return box.replaceChildren(element("p", { className: "note", textContent: "Nothing of this setting." }));
    const config = content.themes[dark.matches && !light ? "dark" : "light"];
    const spec = { ...chart.spec, config, datasets: { rows } };
    const inner = element("div", { ariaHidden: "true" }); // Vega gives it a role; the text alternative is of its box
    box.replaceChildren(inner);
    const { view, finalize } = await vegaEmbed(inner, spec, { renderer: "svg", actions: false, logLevel: 1 });
    if (!inner.isConnected) return finalize(); // another choice was quicker
    drawn[name]?.();
    drawn[name] = finalize;
    const tools = document.querySelector(`[data-save="${name}"]`);
    tools.hidden = false;
    for (const button of tools.querySelectorAll("button"))
      button.onclick = async () => save(`${content.experiment}-${name}.${button.value}`, await view.toImageURL(button.value, 2));
  };
  const show = async (onPaper = false) => {
    document.body.classList.toggle("for-paper", onPaper);
    const scale = scales.find((input) => input.checked)?.value;
    for (const one of scales) document.getElementById(`chart-${one.value}`).hidden = one.value !== scale;
    for (const of of document.querySelectorAll("[data-of-dataset]")) of.hidden = of.dataset.ofDataset !== choice.dataset;
    await Promise.all(Object.keys(charts).map((name) => draw(name, onPaper)));
    document.body.dataset.drawn = "yes";
  };

  // Tables that are sorted and filtered, a window of rows at a time
  const WINDOW = 100;
  const download = (name, text, type) => save(name, URL.createObjectURL(new Blob([text], { type })));
  const quoted = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const fullTable = (box, title, rows) => {
    const varies = (name) => rows.some((row) => row[name] !== rows[0][name]);
    const all = rows.length ? Object.keys(rows[0]) : [];
    const names = [...all.filter(varies), ...all.filter((name) => !varies(name))]; // what is the same in all goes last
    const state = { filter: "", key: null, down: false, count: WINDOW };
    const words = (row) => names.map((name) => shown(row[name])).join("\u0000").toLowerCase();
    const texts = new Map();
    const kept = () => {
      const sought = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
      let listed = rows;
      if (sought.length) {
        for (const row of rows) if (!texts.has(row)) texts.set(row, words(row));
        listed = rows.filter((row) => sought.every((word) => texts.get(row).includes(word)));
      }
      if (state.key === null) return listed;
      const value = (row) => row[state.key];
      const known = listed.filter((row) => value(row) !== null);
      const sign = state.down ? -1 : 1;
      known.sort((a, b) => sign * (typeof value(a) === "number" && typeof value(b) === "number" ? value(a) - value(b) : String(value(a)).localeCompare(String(value(b)), "en", { numeric: true })));
      return [...known, ...listed.filter((row) => value(row) === null)];
    };
    const status = element("span", { role: "status" });
    const body = element("tbody");
    const more = element("button", { type: "button", textContent: "Show more", onclick: () => { state.count += 10 * WINDOW; update(); } });
    const heads = names.map((name) => {
      const head = element("th", { scope: "col", className: rows.some((row) => typeof row[name] === "number") ? "" : "text" });
      head.append(element("button", { type: "button", textContent: name, onclick: () => {
        state.down = state.key === name && !state.down;
        state.key = name;
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
        update();
      } }));
      return head;
    });
    const update = () => {
      const listed = kept();
      body.replaceChildren(...listed.slice(0, state.count).map((row) => element("tr", {}, ...names.map((name) => cell(row[name])))));
      more.hidden = listed.length <= state.count;
      status.textContent = `${Math.min(state.count, listed.length)} of ${listed.length} rows` + (listed.length < rows.length ? ` (${rows.length} in all)` : "");
    };
    const filter = element("input", { type: "search", oninput: () => { state.filter = filter.value; state.count = WINDOW; update(); } });
    const saveButton = element("button", { type: "button", textContent: "Download as CSV", onclick: () =>
      download(`${content.experiment}-${title}.csv`, [names, ...kept().map((row) => names.map((name) => row[name]))].map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n", "text/csv") });
    box.append(
      element("div", { className: "tools" }, element("label", {}, "Filter ", filter), saveButton, status),
      scrolled(element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body), `Table of ${title}`),
      element("div", { className: "tools" }, more),
    );
    update();
  };

  const tables = { summary: () => rowsOf(content.summary), outcomes: () => rowsOf(content.outcomes), failures: () => content.failures };
  for (const box of document.querySelectorAll("[data-table]")) fullTable(box, box.dataset.table, (tables[box.dataset.table] ?? (() => content.tables[box.dataset.table]))());
  document.getElementById("json").onclick = () =>
    download(`${content.experiment}.json`, JSON.stringify({ experiment: content.experiment, reference: content.reference, summary: rowsOf(content.summary), outcomes: rowsOf(content.outcomes), ...content.tables, failures: content.failures }, null, 1), "application/json");

  if (form) {
    Object.assign(choice, Object.fromEntries(KEYS.map((key) => [key, content.settings[content.start ?? 0][key]])));
    for (const [key, values] of Object.entries(others).filter(([, values]) => values.length > 1))
      form.append(element("label", {}, `${key[0].toUpperCase()}${key.slice(1)} `, element("select", { name: key }, ...values.map((value) => element("option", { value, textContent: value })))));
    form.after(missed);
    settleAddress();
    form.onchange = () => { for (const select of form.elements) choice[select.name] = select.value; settle(); missed.hidden = true; toAddress(); show(); };
    form.onsubmit = (event) => event.preventDefault();
    for (const input of scales) input.onchange = () => { toAddress(); show(); };
    addEventListener("hashchange", () => { if (location.hash.includes("=")) { settleAddress(); show(); } });
  }
  dark.addEventListener("change", () => show());
  addEventListener("beforeprint", () => show(true));
  addEventListener("afterprint", () => show());
  show();
})();
