"use strict";
// Before anything is drawn: light, dark, or (without a choice) as the system has it.
(() => {
  const root = document.documentElement;
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch { /* no storage: as the system has it */ }
})();
