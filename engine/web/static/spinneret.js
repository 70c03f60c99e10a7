"use strict";
// What all pages share: theme, figures, checks as one types, pictures that are dropped.
(() => {
  const root = document.documentElement;
  const token = document.querySelector('meta[name="csrf"]')?.content ?? "";
  const here = document.querySelector('meta[name="address"]');
  const base = here?.content ?? "";
  const api = here?.dataset.api ?? "";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

  // -- theme
  document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
    // Away from the system's, then the other way, then back to what the system has.
    const other = system.matches ? "light" : "dark";
    const next = { [other]: system.matches ? "dark" : "light", [system.matches ? "dark" : "light"]: "" }[root.dataset.theme ?? ""] ?? other;
    if (next) root.dataset.theme = next; else delete root.dataset.theme;
    try { if (next) localStorage.setItem("theme", next); else localStorage.removeItem("theme"); } catch { /* holds for this page */ }
    nameTheme();
    redraw();
  });
  function nameTheme() {
    const button = document.querySelector("[data-theme-switch]");
    const name = root.dataset.theme ?? "as the system has it";
    if (button) { button.title = `Colours: ${name}`; button.setAttribute("aria-label", `Colours: ${name}. Change`); }
  }
  nameTheme();
  system.addEventListener("change", () => redraw());
  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRF-Token"] = token;
  });

  // -- figures: the server sends numbers and roles, colours are added here
  const colours = () => isDark()
    ? { ink: "#e4eaee", muted: "#a3afba", grid: "#2f3b44", front: "#ef9a66", quiet: "#8393a3", awaited: "#4fb9bf", failed: "#f08fa6", fill: "rgba(239,154,102,.15)", band: "rgba(79,185,191,.18)" }
    : { ink: "#1f2b35", muted: "#56636f", grid: "#e4e1db", front: "#cf6428", quiet: "#8393a3", awaited: "#14838a", failed: "#b03c58", fill: "rgba(207,100,40,.12)", band: "rgba(20,131,138,.15)" };
  const marks = { front: [10, "circle"], quiet: [7, "circle"], awaited: [9, "diamond"], failed: [7, "circle"] };
  const drawn = new Map();

  function styled(figure, width) {
    const c = colours();
    const data = figure.data.map((trace) => {
      const colour = c[trace.role] ?? c.quiet;
      const own = { ...trace };
      delete own.role;
      if (trace.mode === "markers") {
        const [size, symbol] = marks[trace.role] ?? marks.quiet;
        own.marker = { color: colour, size, symbol, opacity: 0.85, ...trace.marker };
        for (const bar of ["error_x", "error_y"]) if (trace[bar]) own[bar] = { color: colour, ...trace[bar] };
      } else if (trace.mode === "lines") {
        own.line = { color: colour, width: 1.5, ...trace.line };
        if (trace.fill === "tozeroy") own.fillcolor = c.fill;
        if (trace.fill === "tonexty") { own.fillcolor = c.band; own.line = { ...own.line, width: 0 }; }
      } else if (trace.type === "contour" || trace.type === "heatmap") {
        own.colorscale = isDark()
          ? [[0, "#182026"], [0.5, "#1b7f86"], [1, "#f3c178"]]
          : [[0, "#f4f6f2"], [0.5, "#35a0a6"], [1, "#7a2f12"]];
        own.colorbar = { thickness: 12, outlinewidth: 0, tickfont: { color: c.muted }, ...trace.colorbar };
      }
      return own;
    });
    const small = width < 520;
    const axis = (given) => ({
      gridcolor: c.grid, linecolor: c.grid, zerolinecolor: c.grid, tickcolor: c.grid, automargin: true,
      tickfont: { color: c.muted, size: small ? 11 : 12 }, ...given,
      title: given?.title ? { ...given.title, font: { size: small ? 12 : 13, ...given.title.font }, standoff: 8 } : undefined,
    });
    const shapes = (figure.layout.shapes ?? []).map((shape) => ({ ...shape, line: { color: c.quiet, width: 1, dash: "dot" } }));
    const layout = {
      font: { color: c.ink, size: 13, family: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif" },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
      margin: { l: 12, r: 12, t: 12, b: 12 },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: small ? 11 : 12 } },
      hoverlabel: { align: "left" },
      ...figure.layout,
      xaxis: axis(figure.layout.xaxis), yaxis: axis(figure.layout.yaxis), shapes, template: {},
      width, dragmode: false,
    };
    return [data, layout];
  }

  function draw(node, figure) {
    drawn.set(node, figure);
    node.classList.remove("waiting");
    const [data, layout] = styled(figure, node.clientWidth);
    layout.height = node.clientHeight || 360;
    return Plotly.react(node, data, layout, { displayModeBar: false }).then(() => {
      if (node.dataset.links) return;
      node.dataset.links = "yes";
      node.on("plotly_click", (event) => {
        const target = event.points[0]?.customdata;
        if (typeof target === "string" && target.startsWith("/runs/")) location.assign(base + target);
      });
    });
  }
  function redraw() { for (const [node, figure] of drawn) if (node.isConnected) draw(node, figure); }
  let timer = 0;
  addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(redraw, 150); });

  async function load(node) {
    try {
      const address = node.dataset.plot;
      const figure = address.startsWith("#")
        ? JSON.parse(document.querySelector(address).textContent)
        : await (await fetch(address)).json();
      await draw(node, figure);
    } catch (error) {
      node.textContent = "The figure could not be drawn.";
      console.error(error);
    }
  }
  const figures = [...document.querySelectorAll("[data-plot]")];
  figures.forEach(load);

  // -- checks as one types: the server sent the limits, nothing is ever blocked here
  const shown = (x) => Number(x.toPrecision(4)).toString();
  function check(input) {
    const told = input.closest(".field, td")?.querySelector(".check-as-typed");
    if (!told) return;
    const say = (words, isBad) => { told.textContent = words; told.classList.toggle("bad", Boolean(isBad)); };
    say("");
    for (const word of input.value.trim().split(/[\s;]+/).filter(Boolean)) {
      const value = Number(word.includes(".") ? word : word.replace(",", "."));
      const limit = (name) => (input.dataset[name] === undefined ? NaN : Number(input.dataset[name]));
      if (!Number.isFinite(value)) return say(`“${word}” is not a number`, true);
      if (value < limit("minimum")) return say(`expected at least ${shown(limit("minimum"))}`, true);
      if (value > limit("maximum")) return say(`expected at most ${shown(limit("maximum"))}`, true);
      if (value < limit("low") || value > limit("high")) {
        return say(`${word} lies outside ${input.dataset.what ?? "what was expected"}, ${shown(limit("low"))} … ${shown(limit("high"))}. A slip? It is kept as it is.`);
      }
    }
  }
  document.addEventListener("input", (event) => { if (event.target.matches("input[data-what]")) check(event.target); });
  document.querySelectorAll("input[data-what]").forEach(check);
  document.addEventListener("input", (event) => {
    const cell = event.target.closest(".results .cell")?.querySelector('input[name^="value:"]');
    if (cell) cell.classList.toggle("changed", cell.value !== cell.closest(".cell").querySelector('input[name^="was:"]').value);
  });
  document.addEventListener("click", (event) => {
    const remove = event.target.closest("[data-empty]");
    if (remove) {
      const cell = remove.parentElement.querySelector("input");
      cell.value = "";
      cell.dispatchEvent(new Event("input", { bubbles: true }));
      document.getElementById("why").focus();
      return;
    }
    const button = event.target.closest("[data-another]");
    if (!button) return;
    const first = button.parentElement.querySelector("input");
    const again = first.cloneNode();
    again.value = "";
    again.id = "";
    again.setAttribute("aria-label", `${button.dataset.another}, a further replicate`);
    button.before(again);
    again.focus();
  });

  // -- pictures that are dropped
  for (const zone of document.querySelectorAll(".drop")) {
    const input = zone.querySelector('input[type="file"]');
    for (const kind of ["dragenter", "dragover"]) {
      zone.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.add("over"); });
    }
    for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      if (!event.dataTransfer.files.length) return;
      input.files = event.dataTransfer.files;
    });
  }
  document.querySelector("[data-copy]")?.addEventListener("click", async (event) => {
    const source = document.querySelector(event.target.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      event.target.textContent = "Copied";
    } catch { // without TLS a browser lends no clipboard: then it is marked, to be copied by hand
      getSelection().selectAllChildren(source);
    }
  });
  document.querySelector("[data-print]")?.addEventListener("click", () => print());
  for (const form of document.querySelectorAll("form[data-busy]")) {
    form.addEventListener("submit", () => {
      const button = form.querySelector(".button.main");
      button.setAttribute("aria-busy", "true");
      button.prepend(Object.assign(document.createElement("span"), { className: "spin" }));
    });
  }
  // -- a batch that is being chosen: told on whatever page one is by then, in its title, too
  const remembered = () => { try { return JSON.parse(localStorage.getItem("awaited") ?? "null"); } catch { return null; } };
  const remember = (job) => { try { if (job) localStorage.setItem("awaited", JSON.stringify(job)); else localStorage.removeItem("awaited"); } catch { /* not told, then */ } };
  function watch(job) {
    const ask = async () => {
      let state = null;
      try {
        const answer = await fetch(`${job.api}/jobs/${job.id}`);
        if (answer.status === 404 || answer.status === 401) return remember(null);
        if (answer.ok) state = await answer.json();
      } catch { /* the server is away: asked again */ }
      if (!state || ["queued", "running"].includes(state.status)) return setTimeout(ask, 2000);
      remember(null);
      tell(job, state);
    };
    ask();
  }
  function tell(job, state) {
    const batch = state.result?.batch;
    const words = batch ? `Batch ${batch} is ready` : `Job ${job.id}: ${state.status}`;
    document.title = `● ${words} · Spinneret`;
    const link = Object.assign(document.createElement("a"), { href: batch ? `${job.base}/batches/${batch}` : `${job.base}/jobs/${job.id}`, textContent: "Look at it" });
    const line = Object.assign(document.createElement("p"), { className: batch ? "told good" : "told warning", id: "ready", textContent: `${words}. ` });
    line.append(link);
    document.querySelector('main [role="status"]')?.append(line);
  }
  const own = document.querySelector('[data-kind="propose"][hx-get]');
  if (own) remember({ id: own.dataset.job, api, base });
  else if (remembered()) watch(remembered());

  window.spinneret = { draw, token, shown, api };
})();
