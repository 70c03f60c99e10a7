"use strict";
// Explore: as the sliders move, the model is asked; what is late is dropped.
addEventListener("DOMContentLoaded", () => {
  const { draw, token, shown, api } = window.spinneret;
  const start = JSON.parse(document.getElementById("explore-start").textContent);
  const values = { ...start.values };
  const heading = new Map([...start.parameters, ...start.outcomes].map((one) => [one.name, one.heading]));
  const isNumeric = new Map(start.parameters.map((one) => [one.name, one.is_numeric]));
  const outcome = document.getElementById("outcome");
  const across = document.getElementById("map-x");
  const up = document.getElementById("map-y");
  const problem = document.getElementById("explore-problem");
  const learnt = document.getElementById("learnt");
  const rounds = { predict: 0, slices: 0, map: 0, shares: 0, preview: 0 };

  const named = (text) => text.replaceAll("_", " ").replace(/\.(?=[a-z])/g, ", ");
  function complain(words) {
    problem.textContent = words;
    problem.classList.toggle("hidden", !words);
  }
  // Asks until the model has learnt; null if a newer question overtook this one.
  async function ask(kind, path, body) {
    const mine = ++rounds[kind];
    for (;;) {
      const answer = await fetch(`${api}${path}`, body === undefined ? {} : {
        method: "POST", headers: { "Content-Type": "application/json", "X-CSRF-Token": token }, body: JSON.stringify(body),
      });
      if (mine !== rounds[kind]) return null;
      if (answer.status === 401) { location.reload(); return null; } // leads to the login, and back
      const document_ = await answer.json();
      if (answer.ok && answer.status !== 202) { complain(""); return document_; }
      if (answer.status !== 202 && answer.status !== 503) { complain(document_.detail ?? "the model did not answer"); learnt.textContent = ""; return null; }
      learnt.replaceChildren(Object.assign(document.createElement("span"), { className: "spin" }), " the model is learning");
      await new Promise((done) => setTimeout(done, 1000));
      if (mine !== rounds[kind]) return null;
    }
  }
  async function predict() {
    const found = await ask("predict", "/predictions", { conditions: [values] });
    if (!found) return;
    const row = found.items[0];
    document.getElementById("level").textContent = `${Math.round(found.level * 100)} % interval`;
    document.getElementById("expected").replaceChildren(...start.outcomes.filter((o) => row.outcomes[o.name]).map((o) => {
      const f = row.outcomes[o.name];
      const line = document.createElement("tr");
      const name = Object.assign(document.createElement("th"), { scope: "row", textContent: named(o.heading) });
      const cells = [shown(f.mean), `${shown(f.lower)} … ${shown(f.upper)}`].map((text) => Object.assign(document.createElement("td"), { className: "number", textContent: text }));
      line.append(name, ...cells);
      return line;
    }));
    document.getElementById("success").textContent =
      [`Chance of a ${start.sample}: ${Math.round(100 * row.p_success)} %.`, ...row.warnings].join(" ");
    learnt.textContent = `learnt from ${found.finished_runs} finished runs${found.is_newest ? "" : "; newer ones are being learnt"}`;
  }
  // The same as the server's slices: the others of a sum share what a slider took or left.
  function keepSums(held) {
    const bounds = new Map(start.parameters.map((one) => [one.name, one.bounds]));
    for (const sum of start.sums) {
      const terms = Object.entries(sum.terms);
      const gap = sum.bound - terms.reduce((total, [name, factor]) => total + factor * values[name], 0);
      const rooms = terms.filter(([name]) => name !== held && bounds.get(name) && bounds.get(name)[0] < bounds.get(name)[1]).map(([name, factor]) => {
        const isUp = (gap > 0) === (factor > 0);
        const [low, high] = bounds.get(name);
        return [name, factor, isUp ? 1 : -1, Math.abs(factor) * Math.max(0, isUp ? high - values[name] : values[name] - low)];
      });
      const total = rooms.reduce((all, [, , , room]) => all + room, 0);
      if (!total || Math.abs(gap) < 1e-9 * Math.max(1, Math.abs(sum.bound))) continue;
      for (const [name, factor, sign, room] of rooms) {
        values[name] += sign * Math.min(1, Math.abs(gap) / total) * room / Math.abs(factor);
        const slider = document.querySelector(`[data-slide="${CSS.escape(name)}"]`);
        slider.value = values[name];
        slider.parentElement.querySelector("output").textContent = shown(values[name]);
      }
    }
  }
  const near = (runs, name) => ({
    type: "scatter", mode: "markers", role: "quiet", showlegend: false,
    x: runs.map((run) => run.conditions[name]), y: runs.map((run) => run.value),
    customdata: runs.map((run) => `/runs/${run.experiment}`), text: runs.map((run) => run.name),
    marker: { size: 6, opacity: 0.6 }, hovertemplate: "run %{text}<br>%{x:.4~r}: %{y:.4~r}<extra></extra>",
  });
  async function slices() {
    const found = await ask("slices", "/predictions/slices", { conditions: values, outcome: outcome.value });
    if (!found) return;
    // One axis for all: slices are there to be compared.
    const ends = [...found.slices.flatMap((slice) => [...slice.lower, ...slice.upper]), ...found.measured.map((run) => run.value)];
    const [least, most] = [Math.min(...ends), Math.max(...ends)];
    const range = [least - 0.04 * (most - least), most + 0.04 * (most - least)];
    for (const slice of found.slices) {
      const node = document.querySelector(`[data-slice="${CSS.escape(slice.parameter)}"]`);
      if (!node) continue;
      const band = { type: "scatter", mode: "lines", hoverinfo: "skip", showlegend: false, role: "awaited", line: { width: 0 } };
      const at = values[slice.parameter];
      draw(node, {
        data: [
          { ...band, x: slice.grid, y: slice.lower },
          { ...band, x: slice.grid, y: slice.upper, fill: "tonexty" },
          { type: "scatter", mode: isNumeric.get(slice.parameter) ? "lines" : "markers", role: "awaited", showlegend: false, x: slice.grid, y: slice.mean, line: { width: 2.5 }, hovertemplate: "%{x:.4~r}: %{y:.4~r}<extra></extra>" },
          near(found.measured.filter((run) => run.conditions[slice.parameter] !== undefined), slice.parameter),
          { type: "scatter", mode: "markers", role: "front", showlegend: false, x: slice.grid.filter((_, i) => slice.excluded[i]), y: slice.mean.filter((_, i) => slice.excluded[i]), marker: { symbol: "x-thin-open", size: 8 }, hovertemplate: "%{x:.4~r}: excluded, or no value<extra></extra>" },
        ],
        layout: {
          xaxis: { title: { text: named(heading.get(slice.parameter)) } },
          yaxis: { title: { text: (heading.get(outcome.value) ?? "").replace(/^.*\[/, "["), font: { size: 11 } }, range },
          shapes: [{ type: "line", x0: at, x1: at, y0: 0, y1: 1, yref: "paper" }],
        },
      });
    }
  }
  async function map() {
    if (across.value === up.value) { complain("choose two parameters for the map"); return; }
    const found = await ask("map", "/predictions/map", { conditions: values, outcome: outcome.value, x: across.value, y: up.value });
    if (!found) return;
    const out = found.excluded.flatMap((line, j) => line.flatMap((is, i) => is ? [[found.x_grid[i], found.y_grid[j]]] : []));
    const unit = /\[(.*)\]/.exec(heading.get(outcome.value) ?? "")?.[1] ?? "";
    for (const [id, z] of [["map-mean", found.mean], ["map-sd", found.sd]]) {
      draw(document.getElementById(id), {
        data: [{
          type: isNumeric.get(found.x) && isNumeric.get(found.y) ? "contour" : "heatmap", x: found.x_grid, y: found.y_grid, z,
          line: { width: 0.5 }, colorbar: { title: { text: unit, side: "top" } }, hovertemplate: "%{x:.4~r}, %{y:.4~r}: %{z:.4~r}<extra></extra>",
        }, { type: "scatter", mode: "markers", role: "front", x: [values[found.x]], y: [values[found.y]], showlegend: false, hoverinfo: "skip", marker: { symbol: "cross", size: 12 } },
        { ...near(found.measured.filter((run) => run.conditions[found.x] !== undefined && run.conditions[found.y] !== undefined), found.x),
          y: found.measured.filter((run) => run.conditions[found.x] !== undefined && run.conditions[found.y] !== undefined).map((run) => run.conditions[found.y]),
          hovertemplate: "run %{text}: %{x:.4~r}, %{y:.4~r}<extra></extra>" },
        { type: "scatter", mode: "markers", role: "front", x: out.map((p) => p[0]), y: out.map((p) => p[1]), showlegend: false, marker: { symbol: "x-thin-open", size: 6 }, hovertemplate: "%{x:.4~r}, %{y:.4~r}: excluded, or no value<extra></extra>" }],
        layout: { xaxis: { title: { text: named(heading.get(found.x)) } }, yaxis: { title: { text: named(heading.get(found.y)) } } },
      });
    }
  }
  async function shares() {
    const found = await ask("shares", "/sensitivities");
    if (!found) return;
    const table = document.getElementById("shares");
    const cell = (tag, text, name) => Object.assign(document.createElement(tag), { textContent: text, className: name ?? "" });
    const head = document.createElement("tr");
    head.append(cell("th", "outcome"), ...found.parameters.map((name) => cell("th", named(name), "number")));
    const rows = found.outcomes.map((name, i) => {
      const line = document.createElement("tr");
      const first = cell("th", named(found.outcome_headings[i]));
      first.scope = "row";
      line.append(first, ...found.total[i].map((share) => {
        const one = cell("td", "", "number");
        const meter = Object.assign(document.createElement("meter"), { min: 0, max: 1, value: share });
        meter.setAttribute("aria-label", `${share.toFixed(2)}`);
        one.append(share.toFixed(2), meter);
        return one;
      }));
      return line;
    });
    const thead = document.createElement("thead");
    thead.append(head);
    const tbody = document.createElement("tbody");
    tbody.append(...rows);
    table.replaceChildren(thead, tbody);
  }
  async function preview() {
    if (!start.draws) return;
    const mine = ++rounds.preview;
    const place = document.getElementById("previews");
    const answer = await fetch(`${api}/previews`, {
      method: "POST", headers: { "Content-Type": "application/json", "X-CSRF-Token": token }, body: JSON.stringify({ conditions: values }),
    });
    if (mine !== rounds.preview) return;
    const found = await answer.json();
    if (!answer.ok) { place.replaceChildren(Object.assign(document.createElement("figcaption"), { textContent: `No drawing: ${found.detail}` })); return; }
    const image = Object.assign(new Image(), { src: `data:image/png;base64,${found.png}`, alt: `What to expect, drawn: ${start.samples}` });
    place.replaceChildren(image, Object.assign(document.createElement("figcaption"), { textContent: `${start.samples[0].toUpperCase()}${start.samples.slice(1)} to expect, drawn: ${found.words}. ${found.warnings.join(" ")}` }));
  }
  let soon = 0;
  let later = 0;
  function changed() {
    clearTimeout(soon);
    clearTimeout(later);
    soon = setTimeout(predict, 60);
    later = setTimeout(() => { slices(); map(); preview(); }, 500);
  }
  for (const slider of document.querySelectorAll("[data-slide]")) {
    slider.addEventListener("input", () => {
      const name = slider.dataset.slide;
      values[name] = isNumeric.get(name) ? Number(slider.value) : slider.value;
      const output = slider.parentElement.querySelector("output");
      if (output) output.textContent = shown(Number(slider.value));
      keepSums(name);
      changed();
    });
  }
  outcome.addEventListener("change", () => { slices(); map(); });
  across.addEventListener("change", map);
  up.addEventListener("change", map);
  predict().then(() => { slices(); map(); shares(); preview(); });
});
