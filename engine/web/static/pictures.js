"use strict";
// Many pictures are sent in parts, each below what the server takes at once; then the form itself, without them.
addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form[data-parts]");
  if (!form) return;
  const input = form.elements.namedItem("file");
  const told = document.getElementById("sending");
  const button = form.querySelector(".button.main");
  const mostFiles = 20, mostBytes = 60e6;

  function parts(files) {
    const result = [[]];
    let size = 0;
    for (const file of files) {
      const part = result.at(-1);
      if (part.length && (part.length >= mostFiles || size + file.size > mostBytes)) { result.push([file]); size = file.size; }
      else { part.push(file); size += file.size; }
    }
    return result;
  }
  form.addEventListener("submit", async (event) => {
    const files = [...input.files];
    if (!files.length) return; // the browser has told that there are none
    event.preventDefault();
    if (files.length > Number(form.dataset.most)) { told.textContent = `Expected at most ${form.dataset.most} files, got ${files.length}.`; return; }
    button.disabled = true;
    const token = form.elements.namedItem("pictures");
    let n = 0;
    try {
      for (const part of parts(files)) {
        told.textContent = `Sending: ${n} of ${files.length} files.`;
        const body = new FormData();
        body.append("csrf", form.elements.namedItem("csrf").value);
        body.append("pictures", token.value);
        for (const file of part) body.append("file", file);
        const answer = await fetch(form.dataset.parts, { method: "POST", body });
        const kind = answer.headers.get("content-type") ?? "";
        const document_ = kind.includes("json") ? await answer.json() : {};
        if (!answer.ok) throw new Error(document_.detail ?? `The server refused the files (${answer.status}).`);
        token.value = document_.pictures;
        n += part.length;
      }
    } catch (error) {
      told.textContent = error.message;
      token.value = "";
      button.disabled = false;
      return;
    }
    told.textContent = "All files are sent.";
    input.disabled = true; // sent already
    form.submit();
  });
});
