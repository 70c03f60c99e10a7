"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const themes = read("themes");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 34rem)");
  const touch = matchMedia("(pointer: coarse)");
  const nodes = [...document.querySelectorAll("[data-figure]")];
  const specs = new Map(nodes.map((node) => [node, read(node.dataset.figure)]));

  function draw(theme) {
    for (const [node, spec] of specs) {
      const layout = { ...spec.layout, template: themes[theme], width: node.clientWidth };
      if (touch.matches) layout.dragmode = false;
      if (narrow.matches) {
        layout.font = { ...layout.font, size: 11 };
        layout.legend = { ...layout.legend, font: { size: 11 } };
      }
      const small = node.clientWidth < 740 ? { labelfont: { size: 9 } } : {};
      const data = spec.data.map((t) => (t.type === "parcoords" ? { ...t, ...small } : t));
      Plotly.react(node, data, layout, { displayModeBar: false });
    }
  }
  const redraw = () => draw(dark.matches ? "dark" : "light");
  let waiting = 0;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(redraw, 120); });
  dark.addEventListener("change", redraw);
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printing");
    draw("light");
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printing");
    redraw();
  });
  redraw();
})();
