(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  // Only textContent and createElement build the page: nothing a model wrote is ever parsed as HTML.
  const make = (tag, text, attributes) => {
    const node = document.createElement(tag);
    if (text !== undefined && text !== null) node.textContent = text;
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    return node;
  };
  const score = (value) => figure(value, Number.isInteger(value) ? 0 : 3);
  const figure = (value, digits = 3) =>
    value === null || value === undefined ? "–" : value.toFixed(digits).replace(/^-0\.0+$/, (s) => s.slice(1)).replace("-", "\u2212");

  // --- theme -----------------------------------------------------------------------------------
  const themes = ["auto", "light", "dark"];
  const stored = () => { try { return localStorage.getItem("jostle-theme"); } catch { return null; } };
  let theme = themes.includes(stored()) ? stored() : "auto";
  const showTheme = () => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    $("theme").textContent = `Theme: ${theme}`;
  };
  $("theme").addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try { localStorage.setItem("jostle-theme", theme); } catch { /* a page from a file may have no storage */ }
    showTheme();
  });
  showTheme();

  // --- tables ----------------------------------------------------------------------------------
  const sortValue = (row, column) => {
    const cell = row.cells[column];
    const raw = cell.dataset.sort ?? cell.textContent.trim();
    if (raw === "" || raw === "–") return null;
    const number = Number(raw.replace(/,/g, "").replace("\u2212", "-"));
    return Number.isNaN(number) ? raw.toLowerCase() : number;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  for (const table of document.querySelectorAll("table.sortable")) {
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, column) => {
      const button = make("button", header.textContent, { type: "button" });
      header.textContent = "";
      header.append(button);
      button.addEventListener("click", () => {
        const rising = header.getAttribute("aria-sort") !== "ascending";
        headers.forEach((other) => other.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", rising ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows].map((row) => [sortValue(row, column), row]);
        rows.sort(([a], [b]) => {
          if (a === null || b === null) return (a === null) - (b === null);
          return rising ? compare(a, b) : compare(b, a);
        });
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    });
  }
  for (const input of document.querySelectorAll("input[data-filter]")) {
    const rows = [...$(input.dataset.filter).tBodies[0].rows];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row, i) => { row.hidden = !words.every((word) => texts[i].includes(word)); });
    });
  }

  // --- packed data -----------------------------------------------------------------------------
  const unpack = async (packed) => {
    const raw = atob(packed);
    const bytes = Uint8Array.from(raw, (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  };
  const chunks = new Map();
  // Chunks beside the page arrive as scripts that call jostleChunk(number, packed).
  const arrived = new Map();
  window.jostleChunk = (number, packed) => arrived.set(number, packed);
  const load = (address, number) => new Promise((done, failed) => {
    const script = make("script", null, { src: address });
    script.addEventListener("load", () => { done(unpack(arrived.get(number))); arrived.delete(number); });
    script.addEventListener("error", () => failed(new Error(`${address} is missing; keep it beside the page`)));
    document.head.append(script);
  });
  const chunk = (number) => {
    if (!chunks.has(number)) {
      const folder = document.documentElement.dataset.chunks;
      chunks.set(number, folder ? load(`${folder}/${number}.js`, number) : unpack($(`chunk-${number}`).textContent));
    }
    return chunks.get(number);
  };

  // --- word differences ------------------------------------------------------------------------
  const words = (text) => text.match(/\s+|[^\s]+/g) || [];
  // White space alone between two changes is no common ground: take it into both.
  const bridged = (runs) => {
    const result = [];
    runs.forEach(([kind, text], i) => {
      const inside = i > 0 && i < runs.length - 1 && runs[i - 1][0] !== "same" && runs[i + 1][0] !== "same";
      if (kind === "same" && inside && !text.trim()) result.push(["del", text], ["ins", text]);
      else result.push([kind, text]);
    });
    return result;
  };
  // Longest common subsequence of words between the common head and tail; [kind, text] runs.
  const difference = (before, after) => {
    const a = words(before), b = words(after);
    let head = 0;
    while (head < a.length && head < b.length && a[head] === b[head]) head++;
    let tail = 0;
    while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
    const x = a.slice(head, a.length - tail), y = b.slice(head, b.length - tail);
    const runs = [["same", a.slice(0, head).join("")]];
    if (x.length * y.length > 4e6) {
      runs.push(["del", x.join("")], ["ins", y.join("")]);
    } else {
      const width = y.length + 1;
      const table = new Uint32Array((x.length + 1) * width);
      for (let i = x.length - 1; i >= 0; i--)
        for (let j = y.length - 1; j >= 0; j--)
          table[i * width + j] = x[i] === y[j]
            ? table[(i + 1) * width + j + 1] + 1
            : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
      let i = 0, j = 0;
      while (i < x.length || j < y.length) {
        if (i < x.length && j < y.length && x[i] === y[j]) { runs.push(["same", x[i++]]); j++; }
        else if (j >= y.length || (i < x.length && table[(i + 1) * width + j] >= table[i * width + j + 1])) runs.push(["del", x[i++]]);
        else runs.push(["ins", y[j++]]);
      }
    }
    runs.push(["same", a.slice(a.length - tail).join("")]);
    return bridged(runs.filter(([, text]) => text));
  };
  const marked = (runs, side) => {
    const node = make("div", null, { class: "text", dir: "auto" });
    let last = null;
    for (const [kind, text] of runs) {
      if (kind !== "same" && kind !== side) continue;
      if (last && last.kind === kind) last.node.append(text);
      else {
        last = { kind, node: kind === "same" ? make("span") : make(kind) };
        last.node.append(text);
        node.append(last.node);
      }
    }
    return node;
  };

  // --- explorer --------------------------------------------------------------------------------
  const PAGE = 50;
  const explore = (index) => {
    const rows = index.rows;
    const count = rows.sample.length;
    const option = (select, value, text) => select.append(make("option", text, { value }));
    option($("f-kind"), "", "any");
    index.kinds.forEach((kind, i) => option($("f-kind"), i, kind));
    option($("f-subject"), "", "any");
    index.subjects.forEach((subject, i) => option($("f-subject"), i, subject));
    const texts = index.samples.map((s) => `${s.id} ${s.text}`.toLowerCase());
    const body = $("explorer-list").querySelector("tbody");
    let shown = [], page = 0, chosen = null;
    const outcomes = {
      "": () => true,
      drop: (i) => rows.drop[i] > 0,
      gain: (i) => rows.drop[i] !== null && rows.drop[i] < 0,
      same: (i) => rows.drop[i] === 0,
      failed: (i) => rows.problem[i] === 1,
      unscored: (i) => rows.problem[i] === 2,
    };
    const select = () => {
      const kind = $("f-kind").value, subject = $("f-subject").value;
      const outcome = outcomes[$("f-outcome").value], order = $("f-order").value;
      const wanted = $("f-text").value.toLowerCase().trim();
      shown = [];
      for (let i = 0; i < count; i++) {
        if (kind !== "" && rows.kind[i] !== Number(kind)) continue;
        if (subject !== "" && rows.subject[i] !== Number(subject)) continue;
        if (wanted && !texts[rows.sample[i]].includes(wanted)) continue;
        if (outcome(i)) shown.push(i);
      }
      if (order !== "order") {
        const sign = order === "drop" ? -1 : 1;
        shown.sort((a, b) => {
          const x = rows.drop[a], y = rows.drop[b];
          if (x === null || y === null) return (x === null) - (y === null) || a - b;
          return sign * (x - y) || a - b;
        });
      }
      page = 0;
      list();
    };
    const list = () => {
      body.textContent = "";
      for (const i of shown.slice(page * PAGE, (page + 1) * PAGE)) {
        const row = make("tr", null, { "aria-selected": String(i === chosen) });
        const cell = make("td");
        const button = make("button", index.samples[rows.sample[i]].text || "(empty prompt)", { type: "button", dir: "auto" });
        cell.append(button);
        const value = rows.problem[i] === 1 ? "no answer" : score(rows.value[i]);
        row.append(cell, make("td", index.kinds[rows.kind[i]]), make("td", index.subjects[rows.subject[i]]),
          make("td", value, { class: "r num" }), make("td", score(rows.drop[i]), { class: "r num" }));
        row.addEventListener("click", () => open(i, row));
        body.append(row);
      }
      const pages = Math.max(1, Math.ceil(shown.length / PAGE));
      $("page-of").textContent = `${shown.length.toLocaleString("en")} answers, page ${page + 1} of ${pages}`;
      $("prev").disabled = page === 0;
      $("next").disabled = page >= pages - 1;
      $("explorer-list").scrollTop = 0;
    };
    const open = async (i, row) => {
      chosen = i;
      for (const other of body.rows) other.setAttribute("aria-selected", String(other === row));
      const where = index.samples[rows.sample[i]];
      const detail = $("detail");
      let sample;
      try {
        sample = (await chunk(where.chunk))[where.at];
      } catch (error) {
        detail.replaceChildren(make("p", `This sample could not be loaded: ${error.message}.`));
        return;
      }
      if (chosen !== i) return;
      detail.replaceChildren(describe(sample, sample.variants[rows.variant[i]], rows.subject[i]));
      detail.scrollIntoView({ block: "nearest" });
    };
    const box = (title, content, level = "h5") => {
      const node = make("div", null, { class: "box" });
      node.append(make(level, title), content);
      return node;
    };
    const plain = (text) => make("div", text, { class: "text", dir: "auto" });
    const describe = (sample, variant, chosenSubject) => {
      const card = make("article", null, { class: "card" });
      const title = make("h3", `${variant.kind}${variant.severity === "none" ? "" : `, ${variant.severity}`}`);
      card.append(title);
      const facts = [`sample ${sample.id}`];
      if (sample.audit !== "unchecked") facts.push(sample.audit);
      if (variant.filler) facts.push("filler");
      if (variant.similarity !== null) facts.push(`similarity to the original ${figure(variant.similarity, 2)}`);
      for (const [key, value] of Object.entries(sample.metadata)) facts.push(`${key}: ${value}`);
      const line = make("p", null, { class: "small" });
      facts.forEach((fact) => line.append(make("span", fact, { class: "tag" }), " "));
      card.append(line);
      sample.turns.forEach(([role, text], i) => {
        if (!(i in variant.turns)) return card.append(box(role, plain(text), "h4"));
        const changes = difference(text, variant.turns[i]);
        const pair = make("div", null, { class: "pair" });
        pair.append(box(role, marked(changes, "del"), "h4"), box(`${role}, reworded`, marked(changes, "ins"), "h4"));
        card.append(pair);
      });
      const runs = difference(sample.prompt, variant.text);
      const pair = make("div", null, { class: "pair" });
      pair.append(box("Original prompt", marked(runs, "del"), "h4"), box("Reworded prompt", marked(runs, "ins"), "h4"));
      card.append(pair);
      const original = sample.variants.find((v) => v.kind === "original");
      const order = index.subjects.map((_, s) => s).sort((a, b) => (b === chosenSubject) - (a === chosenSubject));
      for (const s of order) card.append(answers(index.subjects[s], original && original.answers[s], variant.answers[s]));
      if (sample.reference !== null) {
        const details = make("details");
        details.append(make("summary", "Reference answer"), plain(sample.reference));
        card.append(details);
      }
      if (sample.notMade.length) {
        const details = make("details");
        details.append(make("summary", `Variants that could not be made (${sample.notMade.length})`));
        for (const [kind, severity, status, reason] of sample.notMade)
          details.append(make("p", `${kind}, ${severity}: ${status}${reason ? `, ${reason}` : ""}`, { class: "small" }));
        card.append(details);
      }
      return card;
    };
    const textOf = (answer) => (answer && answer.texts.length && answer.texts[0] !== null ? answer.texts[0] : null);
    const missing = (answer) =>
      plain(answer && answer.problems.length ? `No answer: ${answer.problems[0]}` : "No answer.");
    const answers = (subject, first, second) => {
      const part = make("div");
      part.append(make("h4", subject));
      const before = textOf(first), after = textOf(second);
      const runs = before !== null && after !== null ? difference(before, after) : null;
      const pair = make("div", null, { class: "pair" });
      const cut = (answer) => (answer && answer.truncated ? " (cut at the token limit)" : "");
      pair.append(
        box(`Answer to the original${cut(first)}`, before === null ? missing(first) : runs ? marked(runs, "del") : plain(before)),
        box(`Answer to the rewording${cut(second)}`, after === null ? missing(second) : runs ? marked(runs, "ins") : plain(after)));
      part.append(pair, judgements(subject, first, second));
      return part;
    };
    const judgements = (subject, first, second) => {
      const table = make("table");
      const head = table.createTHead().insertRow();
      for (const name of ["Measure", "Original", "Rewording", "What the judge said"]) head.append(make("th", name, { scope: "col" }));
      const content = table.createTBody();
      const of = (answer, m) => (answer ? answer.scores.filter((s) => s[0] === m) : []);
      index.measures.forEach((measure, m) => {
        const pair = [of(first, m), of(second, m)];
        if (!pair[0].length && !pair[1].length) return;
        const row = content.insertRow();
        row.append(make("td", measure.label));
        for (const scores of pair)
          row.append(make("td", scores.length ? scores.map((s) => (s[2] ? s[2] : score(s[1]))).join(", ") : "–", { class: "num" }));
        const reasons = make("td");
        pair.forEach((scores, side) => scores.forEach((s) => {
          if (s[3]) reasons.append(make("div", `${side ? "rewording" : "original"}: ${s[3]}`));
        }));
        row.append(reasons);
      });
      const scroll = make("div", null, { class: "scroll", tabindex: "0", role: "region", "aria-label": `Judgements of ${subject}` });
      scroll.append(table);
      return scroll;
    };
    for (const id of ["f-kind", "f-subject", "f-outcome", "f-order"]) $(id).addEventListener("change", select);
    let wait = 0;
    $("f-text").addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(select, 120); });
    $("prev").addEventListener("click", () => { page--; list(); });
    $("next").addEventListener("click", () => { page++; list(); });
    $("explorer").hidden = false;
    select();
  };
  unpack($("index").textContent).then(explore).catch((error) => {
    const note = make("p", `The explorer could not be opened: ${error.message}. A current browser is needed.`);
    $("samples").append(note);
  }).finally(() => { document.documentElement.dataset.ready = "1"; });
})();
