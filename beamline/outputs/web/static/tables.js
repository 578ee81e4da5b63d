"use strict";
// Tables and lists of the page. All text goes through textContent.

const tables = (() => {
  let offset = 0; // of the beamline's clock from UTC, s

  const node = (tag, given, ...children) => {
    const made = Object.assign(document.createElement(tag), given || {});
    made.append(...children.filter((each) => each !== null && each !== undefined && each !== ""));
    return made;
  };
  const setOffset = (seconds) => { offset = seconds; };
  const when = (seconds) => new Date((seconds + offset) * 1000).toISOString().slice(0, 19).replace("T", " ");
  const clock = (seconds) => when(seconds).slice(11);

  const MARKS = { good: "✓ good", look: "? look", bad: "✗ bad" };
  const LEVELS = { good: "good", look: "caution", bad: "alarm" };
  const COLUMNS = [
    ["began", (run) => when(run.began), "word"], ["scan", (run) => run.scan, "word"], ["plan", (run) => run.plan, "word"],
    ["edge", (run) => run.edge, "word"], ["delay", (run) => run.delay, "word"], ["pass", (run) => run.pass, "word"],
    ["points", (run) => run.points || "", "word"], ["ended", (run) => run.status, "word"],
    ["health", (run) => MARKS[run.health] || "", "word"], ["result", (run) => run.result || "", "long"],
    ["remark", (run) => [run.health && run.health !== "good" ? run.why : "", run.reason, run.notes && `"${run.notes}"`].filter(Boolean).join("; "), "long"],
    ["sample", (run) => run.sample, "long"], ["uid", (run) => run.uid.slice(0, 8), "word"],
  ];

  function table(element, columns, rows) {
    const head = node("thead", {}, node("tr", {}, ...columns.map(([title]) => node("th", { scope: "col", textContent: title }))));
    const body = node("tbody", {}, ...rows.map((row) => node("tr", {}, ...columns.map(([title, text, kind]) => {
      const cell = node("td", { className: kind, textContent: text(row) });
      if (title === "health" && row.health) cell.classList.add(LEVELS[row.health]);
      return cell;
    }))));
    element.replaceChildren(head, body);
  }

  function runs(element, counter, rows, words) {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (run) => COLUMNS.map(([, column]) => column(run)).join(" ").toLowerCase();
    const shown = wanted.length ? rows.filter((run) => { const all = text(run); return wanted.every((word) => all.includes(word)); }) : rows;
    table(element, COLUMNS, shown);
    counter.textContent = rows.length ? `${shown.length} of ${rows.length}` : "none yet";
  }

  const findings = (element, rows) => listed(element, rows.map(({ began, finding }) => node("li", {},
    node("time", { textContent: when(began) }), node("b", { textContent: `${finding.name} ${finding.value}` }),
    `, ${finding.verdict}, ${finding.outcome}`, node("div", { textContent: finding.reason }),
    node("div", { className: "faint", textContent: finding.numbers.join("; ") }))));

  const listed = (element, items) => element.replaceChildren(...(items.length ? items : [node("li", { textContent: "none" })]));

  const sentences = (element, texts) => listed(element, texts.map((each) => node("li", { textContent: each })));

  const log = (element, lines) => listed(element, lines.map((line) => node("li", {}, node("time", { textContent: line.time }), line.text)));

  const notes = (element, lines) => listed(element, lines.map((note) => node("li", {},
    node("time", { textContent: when(note.time) }), node("b", { textContent: note.who }),
    node("span", { className: "faint", textContent: note.run ? ` at run ${note.run}, dwell ${note.dwell}` : " between runs" }),
    ...note.text.map((line) => node("div", { textContent: line })))));

  const SIGNS = { good: "✓", bad: "✗", unknown: "?", neutral: "•" };
  function readings(element, found) {
    element.replaceChildren(...found.map((each) => node("li", { className: { good: "good", bad: "alarm" }[each.state] || "quiet" },
      `${SIGNS[each.state]} `, node("b", { textContent: `${each.name} ` }), each.text, each.why ? ` (${each.why})` : "")));
  }

  return { setOffset, when, clock, runs, findings, sentences, log, notes, readings };
})();
