"use strict";
// A picture corrected by hand: places are marked by clicks, by a drag, or by the keyboard; the form's fields hold them.
addEventListener("DOMContentLoaded", () => {
  const svg = document.getElementById("marks");
  const form = document.getElementById("correction");
  const layers = document.querySelector("[data-layers]");
  const image = document.querySelector("[data-layer]");
  const status = document.getElementById("marked");
  const width = Number(svg.dataset.width);
  const height = Number(svg.dataset.height);
  const space = "http://www.w3.org/2000/svg";

  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      layers.className = `layers zoom-${button.dataset.zoom}`;
      for (const other of document.querySelectorAll("[data-zoom]")) other.setAttribute("aria-pressed", String(other === button));
    });
  }
  const plain = document.querySelector("[data-plain]");
  const overlay = image.src;
  plain.addEventListener("click", () => {
    const isPlain = plain.getAttribute("aria-pressed") === "false";
    plain.setAttribute("aria-pressed", String(isPlain));
    image.src = isPlain ? plain.dataset.plain : overlay;
  });
  if (!form) return;

  const fields = ["x", "y", "x_to", "y_to"].map((name) => form.elements[name]);
  const kind = () => form.elements.kind.value;
  const count = () => (kind() === "delete" ? 1 : 2);
  const lengthOf = document.getElementById("length"); // `form.elements.length` is how many there are
  const rounded = (n) => Math.round(n * 10) / 10;
  let cross = [width / 2, height / 2];
  let pressed = null;
  let isDragged = false;
  const waiting = document.getElementById("waiting");

  function places() {
    const numbers = fields.map((input) => (input.value.trim() === "" ? NaN : Number(input.value.replace(",", "."))));
    return [[numbers[0], numbers[1]], [numbers[2], numbers[3]]].slice(0, count()).filter((pair) => pair.every(Number.isFinite));
  }
  function put(list) {
    fields.forEach((input, i) => { const pair = list[i >> 1]; input.value = pair ? rounded(pair[i % 2]) : ""; });
    show();
  }
  function mark(place) {
    const list = places();
    put(list.length >= count() ? [place] : [...list, place]);
  }
  function element(name, values) {
    const node = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(values)) node.setAttribute(key, value);
    node.classList.add("new");
    svg.append(node);
    return node;
  }
  function shape(what, list) {
    const size = width / 80;
    for (const [x, y] of list) {
      element("path", { d: `M${x - size} ${y}h${2 * size}M${x} ${y - size}v${2 * size}` });
    }
    if (list.length < 2) return;
    const [[x, y], [u, v]] = list;
    if (what === "exclude") element("rect", { x: Math.min(x, u), y: Math.min(y, v), width: Math.abs(u - x), height: Math.abs(v - y) });
    else element("line", { x1: x, y1: y, x2: u, y2: v });
  }
  function isDrag(event) {
    return pressed && count() === 2 && Math.hypot(event.clientX - pressed.at[0], event.clientY - pressed.at[1]) > 5;
  }
  function show(isMoving = false) {
    for (const node of svg.querySelectorAll(".new")) node.remove();
    for (const input of form.querySelectorAll('input[name="mark"]')) {
      const numbers = input.value.split(":")[1].split(",").map(Number);
      shape(input.value.split(":")[0], numbers.length < 4 ? [numbers] : [numbers.slice(0, 2), numbers.slice(2)]);
    }
    const list = places();
    shape(kind(), list);
    if (document.activeElement === svg) {
      const circle = element("circle", { cx: cross[0], cy: cross[1], r: width / 100 });
      // Enlarged, the picture is larger than what is in view: the keyboard's cross stays in it.
      if (isMoving) circle.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    const [first, second] = list.map(([x, y]) => `${rounded(x)}, ${rounded(y)}`);
    const apart = list.length > 1 ? `, ${rounded(Math.hypot(list[1][0] - list[0][0], list[1][1] - list[0][1]))} px apart` : "";
    if (isMoving) status.textContent = `Cross at ${rounded(cross[0])}, ${rounded(cross[1])}.`;
    else status.textContent = first ? `Marked: ${first}${second ? ` and ${second}${apart}` : count() > 1 ? "; the second place is missing" : ""}.` : "Nothing is marked yet.";
    for (const name of ["x_to", "y_to"]) form.querySelector(`[data-of="${name}"]`).classList.toggle("hidden", kind() === "delete");
    form.querySelector('[data-of="length"]').classList.toggle("hidden", kind() !== "scale");
  }
  function place(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return [Math.min(width, Math.max(0, point.x)), Math.min(height, Math.max(0, point.y))];
  }
  // A finger scrolls the picture and taps; a mouse or pen may also drag a box or a line, beyond the picture's edge too.
  svg.addEventListener("pointerdown", (event) => {
    isDragged = false;
    pressed = event.button === 0 && event.pointerType !== "touch" ? { at: [event.clientX, event.clientY], place: place(event) } : null;
    if (pressed) svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => { if (isDrag(event)) put([pressed.place, place(event)]); });
  svg.addEventListener("pointerup", (event) => {
    isDragged = Boolean(isDrag(event));
    if (isDragged) { cross = place(event); put([pressed.place, cross]); }
    pressed = null;
  });
  svg.addEventListener("pointercancel", () => { pressed = null; });
  svg.addEventListener("click", (event) => {
    if (isDragged) return;
    cross = place(event);
    mark(cross);
  });
  svg.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return; // the browser's: Alt and an arrow go back
    const step = event.shiftKey ? 1 : 10;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (moves[event.key]) {
      cross = [Math.min(width, Math.max(0, cross[0] + moves[event.key][0])), Math.min(height, Math.max(0, cross[1] + moves[event.key][1]))];
      show(true);
    } else if (event.key === "Enter" || event.key === " ") { if (!event.repeat) mark(cross); }
    else if (event.key === "Escape") put([]);
    else return;
    event.preventDefault();
  });
  for (const kindOf of ["focus", "blur"]) svg.addEventListener(kindOf, () => show());
  form.addEventListener("input", () => show());
  form.addEventListener("change", () => show());

  // One that waits to be recorded: `kind:places`, of a scale `scale:places:length`.
  function wait(value, words) {
    const [, numbers, ...length] = value.split(":");
    const line = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button", className: "button bad", textContent: "Forget it" });
    button.setAttribute("aria-label", `Forget: ${words} ${numbers}`);
    button.addEventListener("click", () => { line.remove(); show(); status.focus(); });
    line.append(`${words}: ${numbers}${length.length ? `, ${length.join(":")}` : ""} `, button,
      Object.assign(document.createElement("input"), { type: "hidden", name: "mark", value }));
    waiting.append(line);
  }
  // What was refused is shown again, and may be forgotten.
  for (const line of [...waiting.children]) {
    const { value } = line.querySelector("input");
    const choice = form.querySelector(`input[name="kind"][value="${CSS.escape(value.split(":")[0])}"]`);
    line.remove();
    wait(value, choice ? choice.parentElement.textContent.trim() : "?");
  }
  // Leaving, or taking a recorded one back, would lose what waits.
  let isSent = false;
  form.addEventListener("submit", () => { isSent = true; });
  addEventListener("beforeunload", (event) => { if (waiting.children.length && !isSent) event.preventDefault(); });

  document.getElementById("another").addEventListener("click", () => {
    const list = places();
    if (list.length < count()) { status.textContent = "Mark it first: a place is missing."; return; }
    const length = lengthOf.value.trim();
    if (kind() === "scale" && !length) { lengthOf.focus(); return; }
    const numbers = list.flat().map(rounded).join(",");
    const words = form.querySelector('input[name="kind"]:checked').parentElement.textContent.trim();
    wait(`${kind()}:${numbers}${kind() === "scale" ? `:${length}` : ""}`, words);
    lengthOf.value = "";
    put([]);
  });
  show();
});
