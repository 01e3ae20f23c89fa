// The table of matches: sorts, filters, takes decisions and exports them. It loads nothing.
"use strict";

const SIZE = 100; // lines of a page
const get = (id) => document.getElementById(id);
const data = JSON.parse(get("data").textContent);
const count = data.x.length;
const isProbability = data.probability.some((one) => one !== null);
const score = isProbability ? data.probability : data.cosine;
const partner = (i) => data.y[data.partner[i]];
const KEY = `gentle-clip matches ${data.digest}`;
const decisions = stored(); // "accepted" or "rejected" by id of x
const words = data.x.map((x, i) => [...x.slice(0, 2), ...partner(i).slice(0, 2)].join("\n").toLowerCase());
let lines = []; // numbers of the matches that pass the filters, in their order
let page = 0;
let sort = { by: "sure", down: true };

function stored() {
  try {
    return new Map(Object.entries(JSON.parse(localStorage.getItem(KEY)) ?? {}));
  } catch {
    return new Map();
  }
}

function store() {
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(decisions)));
    return true;
  } catch {
    return false;
  }
}

const decision = (i) => decisions.get(data.x[i][0]) ?? "undecided";

// Numbers in a fixed random order, the same at every visit.
function shuffled() {
  const order = Array.from({ length: count }, (_, i) => i);
  let state = 1;
  for (let i = count - 1; i > 0; i--) {
    state = (state * 48271) % 2147483647;
    const j = state % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

function ordered() {
  if (sort.by === "random") return shuffled();
  const numbers = Array.from({ length: count }, (_, i) => i);
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const id = { x: (i) => data.x[i][0], y: (i) => partner(i)[0] }[sort.by];
  const by = id ? (i, j) => compare(id(i), id(j)) : (i, j) => (score[i] ?? -2) - (score[j] ?? -2);
  return numbers.sort((i, j) => sort.down ? by(j, i) || i - j : by(i, j) || j - i);
}

const per = (id, otherwise) => (get(id)?.value ? Number(get(id).value) / 100 : otherwise);

function filter() {
  const wanted = get("text").value.toLowerCase().split(/\s+/).filter(Boolean);
  const [low, high, chosen] = [per("low", -1), per("high", 2), get("decision").value];
  lines = ordered().filter(
    (i) =>
      wanted.every((word) => words[i].includes(word)) &&
      (!isProbability || (data.probability[i] >= low && data.probability[i] <= high)) &&
      (!chosen || decision(i) === chosen),
  );
  for (const head of document.querySelectorAll("th[data-sort]")) {
    const way = sort.by === head.dataset.sort ? (sort.down ? "descending" : "ascending") : "none";
    head.setAttribute("aria-sort", way);
  }
  turn(0);
}

function made(tag, settings, ...children) {
  const node = Object.assign(document.createElement(tag), settings);
  node.append(...children);
  return node;
}

function thing([id, text, picture]) {
  const parts = [made("span", {}, made("b", { textContent: id }), made("span", { textContent: text }))];
  if (picture) {
    const src = `data:image/jpeg;base64,${picture}`;
    parts.unshift(made("img", { src, alt: "", decoding: "async" }));
  }
  return made("div", { className: "thing" }, ...parts);
}

function line(i) {
  const names = `${data.x[i][0]} and ${partner(i)[0]}`;
  const button = (label, value) => {
    const one = made("button", { type: "button", className: label.toLowerCase(), textContent: label });
    one.setAttribute("aria-label", `${label} ${names}`);
    one.onclick = () => decide(row, i, decision(i) === value ? null : value);
    return one;
  };
  const sure = isProbability ? `${percent(score[i])} %` : (score[i]?.toFixed(2) ?? "");
  const head = made("th", { scope: "row" }, thing(data.x[i]));
  const figure = made("td", { className: "figure", textContent: sure });
  if (data.mutual[i]) figure.append(made("br"), made("small", { textContent: "nearest both ways" }));
  const choice = made("div", { className: "choice" }, button("Accept", "accepted"), button("Reject", "rejected"));
  const row = made("tr", { tabIndex: -1 }, head, made("td", {}, thing(partner(i))), figure, made("td", {}, choice));
  row.dataset.match = i;
  mark(row, i);
  return row;
}

function percent(share) {
  return share >= 0.1 || !share ? (100 * share).toFixed(0) : (100 * share).toPrecision(1);
}

function mark(row, i) {
  row.className = decision(i);
  row.querySelector(".accept").setAttribute("aria-pressed", decision(i) === "accepted");
  row.querySelector(".reject").setAttribute("aria-pressed", decision(i) === "rejected");
}

function turn(to) {
  page = Math.max(0, Math.min(to, Math.ceil(lines.length / SIZE) - 1));
  const shown = lines.slice(page * SIZE, (page + 1) * SIZE);
  get("lines").replaceChildren(...shown.map(line));
  const first = shown.length ? page * SIZE + 1 : 0;
  const all = lines.length.toLocaleString("en");
  get("where").textContent = `${first.toLocaleString("en")} to ${(page * SIZE + shown.length).toLocaleString("en")} of ${all}`;
  get("back").disabled = page === 0;
  get("on").disabled = (page + 1) * SIZE >= lines.length;
  report();
}

function decide(row, i, value) {
  if (value) decisions.set(data.x[i][0], value);
  else decisions.delete(data.x[i][0]);
  mark(row, i);
  report(store() ? "" : " This browser cannot store decisions: download them before you leave.");
}

// The final table: [x, y, probability, decision] of each pair.
function accepted() {
  const least = isProbability ? per("least", 2) : 2;
  const rows = data.given.map(([x, y, origin]) => [x, y, "", origin]);
  for (let i = 0; i < count; i++) {
    const value = decision(i) === "undecided" && data.probability[i] >= least - 1e-9 ? "probable" : decision(i);
    if (value === "accepted" || value === "probable") rows.push(written(i, value));
  }
  return rows;
}

const written = (i, value) => [data.x[i][0], partner(i)[0], data.probability[i] ?? "", value];

function fill(text, values) {
  return text.replace(/{(\w+)}/g, (_, name) => values[name].toLocaleString("en"));
}

function methods(rows) {
  const of = (kind) => rows.slice(data.given.length).filter((row) => row[3] === kind);
  const probable = of("probable");
  const wrong = probable.reduce((sum, row) => sum + 1 - row[2], 0);
  const values = {
    total: rows.length,
    given: data.given.length,
    accepted: of("accepted").length,
    probable: probable.length,
    least: Number(get("least")?.value),
    wrong: Math.round(wrong),
    share: Math.round((100 * wrong) / probable.length),
  };
  const kinds = ["given", "accepted", "probable"].filter((kind) => kind === "given" || values[kind]);
  const parts = kinds.map((kind) => fill(data.counts[kind], values));
  const last = parts.pop();
  values.parts = parts.length ? `${parts.join(", ")} and ${last}` : last;
  return `${data.methods} ${fill(data.counts.table, values)}`.trim();
}

function report(warning = "") {
  const kinds = [...decisions.values()];
  const of = (kind) => kinds.filter((one) => one === kind).length.toLocaleString("en");
  const shown = `${lines.length.toLocaleString("en")} of ${count.toLocaleString("en")} matches`;
  get("state").textContent = `${shown}; ${of("accepted")} accepted, ${of("rejected")} rejected.${warning}`;
  get("methods").textContent = methods(accepted());
}

function download(name, rows) {
  const cell = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
  const text = [["x", "y", "probability", "decision"], ...rows].map((row) => row.map(cell).join(",")).join("\n");
  const link = made("a", { download: name, href: URL.createObjectURL(new Blob([`${text}\n`], { type: "text/csv" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT/.test(event.target.tagName)) return;
  const rows = [...get("lines").children];
  const at = rows.indexOf(event.target.closest("tr"));
  const value = { a: "accepted", r: "rejected", u: null }[event.key];
  if (value !== undefined && at >= 0) decide(rows[at], Number(rows[at].dataset.match), value);
  const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, a: 1, r: 1, u: 0 }[event.key];
  if (step === undefined || (at < 0 && value !== undefined)) return;
  event.preventDefault();
  if (at + step >= rows.length && !get("on").disabled) {
    turn(page + 1);
    get("lines").firstElementChild.focus();
  } else rows[Math.max(0, Math.min(at + step, rows.length - 1))]?.focus();
}

get("tools").onsubmit = (event) => event.preventDefault();
for (const id of ["text", "low", "high"]) get(id)?.addEventListener("input", filter);
get("decision").onchange = filter;
get("order").onchange = () => {
  const by = get("order").value;
  sort = { by: by === "unsure" ? "sure" : by, down: by === "sure" };
  filter();
};
for (const head of document.querySelectorAll("th[data-sort]"))
  head.firstElementChild.onclick = () => {
    const by = head.dataset.sort;
    sort = { by, down: sort.by === by ? !sort.down : by === "sure" };
    get("order").value = by === "sure" && !sort.down ? "unsure" : by;
    filter();
  };
get("back").onclick = () => turn(page - 1);
get("on").onclick = () => {
  turn(page + 1);
  get("table-title").scrollIntoView();
};
get("least")?.addEventListener("input", () => report());
get("accepted").onclick = () => download("accepted.csv", accepted());
get("decisions").onclick = () =>
  download("decisions.csv", data.x.map((_, i) => written(i, decision(i))));
get("copy").onclick = () => {
  getSelection().selectAllChildren(get("methods"));
  document.execCommand("copy"); // also where a page from a file may not use the clipboard
};
document.addEventListener("keydown", press);
filter();
