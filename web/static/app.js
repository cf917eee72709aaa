// What a browser adds to pages that already work without it. No state is kept here.
"use strict";

const TICK_MS = 1000;
const STREAM_PATIENCE_MS = 5000;
const STREAM_RETRY_MS = 4000;

// ---------------------------------------------------------------- time
const spoken = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

function relative(seconds) {
  if (Math.abs(seconds) < 45) return seconds > 0 ? "in a few seconds" : "just now";
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
  return spoken.format(Math.round(seconds / size), unit);
}

function elapsed(seconds) {
  if (seconds < 60) return `${seconds} s`;
  const [big, small, names] = seconds < 3600 ? [60, 1, ["min", "s"]] : [3600, 60, ["h", "min"]];
  return `${Math.floor(seconds / big)} ${names[0]} ${Math.floor((seconds % big) / small)} ${names[1]}`;
}

function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** Each `<time>` keeps its full moment in the title; older than a month it stays a date. */
function tellTimes() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const seconds = Math.round((new Date(time.dateTime) - Date.now()) / 1000);
    if (Math.abs(seconds) > 30 * 86400) continue;
    time.title ||= time.textContent.replace(" UTC", `${time.dateTime.slice(16, 19)} UTC`);
    write(time, relative(seconds));
  }
  for (const time of document.querySelectorAll("time[data-since]")) {
    write(time, elapsed(Math.max(0, Math.round((Date.now() - new Date(time.dateTime)) / 1000))));
  }
}
setInterval(tellTimes, TICK_MS);
tellTimes();

// ---------------------------------------------------------------- focus and title
/** A refused form says so in the tab and is read from its summary; a new page is read from its heading. */
function settle(root) {
  const summary = root.querySelector("[data-focus]");
  if (summary) {
    summary.focus();
    if (!document.title.startsWith("Error: ")) document.title = `Error: ${document.title}`;
  } else if (root.matches("body, main")) {
    (root.querySelector("h1") ?? root.querySelector("#main") ?? root).focus({ preventScroll: true });
  }
}
/** Of tabs in a row that is wider than a phone, the current one is in sight. */
function revealTabs() {
  for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
    const row = tab.parentElement;
    row.scrollLeft = tab.offsetLeft + tab.offsetWidth - row.offsetLeft - row.clientWidth;
  }
}
revealTabs();
settle(document.querySelector("[data-focus]")?.parentElement ?? document.createElement("div"));

document.addEventListener("htmx:after:swap", ({ target, detail }) => {
  tellTimes();
  const titled = document.querySelector("[data-title]");
  if (titled) document.title = titled.dataset.title;
  const { ctx } = detail;
  if (ctx?.response?.status === 422 || target.matches?.("body, main")) settle(target);
  if (target.matches?.("body, main")) revealTabs();
});

// ---------------------------------------------------------------- sending
/** A native form is sent once; a page restored from the back/forward cache can be sent again. */
document.addEventListener("submit", ({ target, submitter, defaultPrevented }) => {
  if (defaultPrevented || target.method === "dialog" || !submitter) return;
  setTimeout(() => { submitter.disabled = true; submitter.setAttribute("aria-busy", "true"); });
});
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  for (const button of document.querySelectorAll("button[aria-busy]")) {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
});

/** What failed without an answer of its own is said; a 422 has said it at the fields. */
function tellUnanswered({ detail }) {
  const { response, sourceElement } = detail.ctx ?? {};
  if (response?.status === 422) return;
  if (sourceElement?.hasAttribute("hx-sse:connect")) return restart(sourceElement, response?.status);
  document.getElementById("notices")?.replaceChildren(document.getElementById("notice-unanswered").content.cloneNode(true));
}
document.addEventListener("htmx:response:error", tellUnanswered);
document.addEventListener("htmx:error", tellUnanswered);

// ---------------------------------------------------------------- streams
const doubts = new WeakMap();

function doubt({ target }) {
  const line = target.parentElement?.querySelector(".live-lost");
  if (!line || document.hidden || doubts.has(line)) return;
  doubts.set(line, setTimeout(() => write(line, line.dataset.lost), STREAM_PATIENCE_MS));
}
function trust({ target }) {
  const line = target.parentElement?.querySelector(".live-lost");
  if (!line) return;
  clearTimeout(doubts.get(line));
  doubts.delete(line);
  write(line, "");
}
/** htmx reconnects a stream that broke, but not one that never began. A refusal (4xx) is final. */
function restart(element, status) {
  const line = element.parentElement?.querySelector(".live-lost");
  if (status >= 400 && status < 500) {
    trust({ target: element });
    if (line) write(line, line.dataset.ended);
    return;
  }
  setTimeout(() => {
    if (element.isConnected) htmx.ajax("GET", element.getAttribute("hx-sse:connect"), { source: element });
  }, STREAM_RETRY_MS * (1 + Math.random()));
}
for (const name of ["htmx:before:request", "htmx:sse:error", "htmx:sse:before:connection"]) document.addEventListener(name, doubt);
for (const name of ["htmx:sse:after:connection", "htmx:sse:after:message", "htmx:sse:close"]) document.addEventListener(name, trust);

/** One box ticks all the others, and shows whether they are. */
document.addEventListener("change", ({ target }) => {
  const all = document.querySelector("[data-ticks]");
  if (!all) return;
  const boxes = [...document.getElementsByName(all.dataset.ticks)];
  if (target === all) for (const box of boxes) box.checked = all.checked;
  all.checked = boxes.every((box) => box.checked);
  all.indeterminate = !all.checked && boxes.some((box) => box.checked);
});

/** What is live stays as it is while something in it is ticked or written. What it missed is shown afterwards. */
const IN_USE = "[name=job]:checked, [open] textarea";
let missed = null;
document.addEventListener("htmx:sse:before:message", ({ target, detail }) => {
  if (detail.message.event) return;
  detail.cancelled = !!target.querySelector(IN_USE);
  missed = detail.cancelled ? { target, sourceElement: target, text: detail.message.data, swap: "innerMorph" } : null;
});
function catchUp() {
  if (!missed || missed.target.querySelector(IN_USE)) return;
  htmx.swap(missed);
  missed = null;
}
document.addEventListener("change", catchUp);
document.addEventListener("toggle", catchUp, true);

// ---------------------------------------------------------------- dialogs and menus
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog) {
    event.preventDefault();
    dialog.showModal();
  }
  for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", ({ key }) => {
  const menu = key === "Escape" && document.querySelector(".menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
