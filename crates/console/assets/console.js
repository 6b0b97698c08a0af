// What pages do beyond forms and links. Everything works without it.
"use strict";

// Copies the field that a button names, and says so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
  } catch {
    field.focus();
    field.select();
  }
});

// A form that is sent once more while it is under way would do nothing twice; the button says that it is.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button) button.setAttribute("aria-busy", "true");
});

// The slider over the organization's life counts days; the page names the day.
document.addEventListener("input", ({ target }) => {
  if (target.id !== "day" || !target.dataset.first) return;
  const day = new Date(`${target.dataset.first}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() + Number(target.value));
  const text = day.toISOString().slice(0, 10);
  document.getElementById("chosen-day").value = text;
  target.setAttribute("aria-valuetext", text);
});

// The stream of records says whether the node that tells is behind.
document.addEventListener("stale", () => { document.getElementById("stale").hidden = false; });
document.addEventListener("fresh", () => { document.getElementById("stale").hidden = true; });

// The stream of records says that the session has ended: the page says what to do.
document.addEventListener("ended", () => window.location.reload());
