"use strict";
// Many pictures, of folders too, are sent in parts, each below what the server takes at once; then the form itself, without them.
addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form[data-parts]");
  if (!form) return;
  const input = form.elements.namedItem("file");
  const folder = document.getElementById("folder");
  const told = document.getElementById("sending");
  const button = form.querySelector(".button.main");
  const mostFiles = 20, mostBytes = 60e6;
  const suffixes = new Set([...input.accept.split(",").filter((word) => word.startsWith("."))]);
  const sent = new Set(); // names that are on the server already: after an error only the rest goes
  let dropped = null; // of folders: an input's own list knows no names of folders

  const isWanted = (name) => !name.split("/").some((part) => part.startsWith(".")) && suffixes.has(name.slice(name.lastIndexOf(".")).toLowerCase());
  const named = (files) => [...files].map((file) => ({ file, name: file.webkitRelativePath || file.name }));
  const inFolder = (entries) => entries.filter(({ name }) => isWanted(name));
  const chosen = () => dropped ?? (folder.files.length ? inFolder(named(folder.files)) : named(input.files));

  function show() {
    const n = chosen().length;
    input.required = !n && !sent.size && !form.elements.namedItem("pictures").value;
    told.textContent = n ? `${n} ${n === 1 ? "file is" : "files are"} chosen.` : "";
  }
  folder.closest(".field").classList.toggle("hidden", !("webkitdirectory" in folder));
  input.addEventListener("change", () => { dropped = null; folder.value = ""; show(); });
  folder.addEventListener("change", () => { dropped = null; input.value = ""; show(); });

  async function filesBelow(entry) {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      return [{ file, name: entry.fullPath.slice(1) }];
    }
    const reader = entry.createReader(), files = [];
    for (;;) { // a reader gives some hundred at a time
      const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!entries.length) return files;
      for (const one of entries) files.push(...await filesBelow(one));
    }
  }
  form.querySelector(".drop").addEventListener("drop", async (event) => {
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    dropped = null;
    folder.value = "";
    if (!entries.some((entry) => entry.isDirectory)) { setTimeout(show); return; } // the input gets the files
    event.stopImmediatePropagation();
    event.preventDefault();
    event.currentTarget.classList.remove("over");
    input.value = "";
    try {
      dropped = inFolder((await Promise.all(entries.map(filesBelow))).flat());
      show();
      if (!dropped.length) told.textContent = "There is no picture in what was dropped.";
    } catch (error) { told.textContent = `What was dropped cannot be read: ${error.message}`; }
  }, { capture: true });

  function parts(files) {
    const result = [[]];
    let size = 0;
    for (const one of files) {
      const part = result.at(-1);
      if (part.length && (part.length >= mostFiles || size + one.file.size > mostBytes)) { result.push([one]); size = one.file.size; }
      else { part.push(one); size += one.file.size; }
    }
    return result;
  }
  form.addEventListener("submit", async (event) => {
    const files = chosen();
    if (!files.length) return; // the browser has told that there are none
    event.preventDefault();
    if (files.length > Number(form.dataset.most)) { told.textContent = `Expected at most ${form.dataset.most} files, got ${files.length}.`; return; }
    button.disabled = true;
    const token = form.elements.namedItem("pictures");
    try {
      for (const part of parts(files.filter(({ name }) => !sent.has(name)))) {
        if (!part.length) break;
        told.textContent = `Sending: ${sent.size} of ${files.length} files.`;
        const body = new FormData();
        body.append("csrf", form.elements.namedItem("csrf").value);
        body.append("pictures", token.value);
        for (const { file, name } of part) body.append("file", file, name);
        const answer = await fetch(form.dataset.parts, { method: "POST", body });
        const kind = answer.headers.get("content-type") ?? "";
        const document_ = kind.includes("json") ? await answer.json() : {};
        if (!answer.ok) {
          if (answer.status === 404 || answer.status === 409) { token.value = ""; sent.clear(); }
          throw new Error(document_.detail ?? `The server refused the files (${answer.status}).`);
        }
        token.value = document_.pictures;
        for (const { name } of part) sent.add(name);
      }
    } catch (error) {
      told.textContent = sent.size ? `${error.message} ${sent.size} files are sent and stay; mend the rest and send again.` : error.message;
      button.disabled = false;
      return;
    }
    told.textContent = "All files are sent.";
    input.disabled = true; // sent already
    form.submit();
  });
});
