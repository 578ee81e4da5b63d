"use strict";
// Pulls what has changed since the version that it has, and draws it. Nothing is pulled while nobody looks.

(() => {
  const FAST = 400, SLOW = 3000, LOST_AFTER = 3; // ms, ms, failures in a row
  const find = (id) => document.getElementById(id);
  const parts = {};
  let version = "", role = "", failures = 0, skew = 0, timer = 0, dirty = new Set();

  if (location.hash.length > 16) {
    sessionStorage.setItem("token", location.hash.slice(1));
    history.replaceState(null, "", location.pathname); // so that the screen does not show it
  }
  const token = () => sessionStorage.getItem("token") || "";
  const headers = (more) => ({ ...(token() ? { Authorization: `Bearer ${token()}` } : {}), ...more });
  const now = () => Date.now() / 1000 + skew;
  const simulated = () => Boolean((parts.beamline || {}).simulated || (parts.about || {}).simulated);

  async function pull() {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      const answer = await fetch(`/state?since=${encodeURIComponent(version)}`, { headers: headers(), cache: "no-store", signal: AbortSignal.timeout(10000) });
      skew = Number(answer.headers.get("Server-Time")) - Date.now() / 1000;
      if (answer.status === 401) return refused();
      if (answer.status === 200) take(await answer.json());
      else if (answer.status !== 304) throw new Error(`status ${answer.status}`);
      allow(answer.headers.get("Role"));
      failures = 0;
    } catch (error) {
      failures += 1;
    }
    warn();
    timer = setTimeout(pull, failures ? SLOW : FAST);
  }

  function take(state) {
    version = state.version;
    Object.assign(parts, state.parts);
    dirty = new Set([...dirty, ...Object.keys(state.parts)]);
    draw();
  }

  function draw() {
    if ([...dirty].some((each) => each === "about" || each === "beamline")) for (const each of Object.keys(parts)) dirty.add(each);
    if (parts.status) tables.setOffset(parts.status.utc_offset);
    for (const each of dirty) if (DRAWN[each] && parts[each] !== undefined) DRAWN[each](parts[each]);
    dirty = new Set();
    document.body.dataset.version = version;
  }

  const DRAWN = {
    beamline: (part) => { find("beamline").textContent = part.name; find("root").textContent = `Data root ${part.root}.`; about(); },
    about,
    progress: (part) => {
      level(find("state"), part.state, part.level);
      document.title = `${simulated() ? "SIM " : ""}${part.planned ? `${Math.round(part.percent)} % ` : ""}${part.state}`;
      find("progress").value = part.percent;
      find("passes").textContent = part.planned ? `pass ${part.pass} of ${part.passes}, ${part.part} ${part.done} of ${part.parts}, ${part.percent} %` : "";
      tick();
    },
    status: (part) => { tables.readings(find("readings"), [...part.readings, ...dwell()]); tick(); },
    dwell: () => DRAWN.status(parts.status || { readings: [] }),
    spectra: (part) => {
      level(find("spectra-state"), part.static.length ? part.state.text : "", part.state.level);
      find("fit").textContent = (part.fit || {}).text || "";
      plots.spectra(find("spectra"), part, simulated());
    },
    counting: (part) => plots.counting(find("counting"), part, simulated()),
    map: (part) => {
      plots.map(find("map"), part, find("map-what").value, simulated());
      tables.sentences(find("map-sentences"), part.sentences || []);
      scale(part);
    },
    drift: (part) => {
      plots.drift(find("drift"), part, simulated());
      const hours = part.hours || {};
      find("hours").replaceChildren(...[hours.title, hours.spent, ...(hours.lines || []), hours.advice].filter(Boolean).map((line) => {
        const made = document.createElement("p");
        made.textContent = line;
        return made;
      }));
    },
    messages: (part) => tables.sentences(find("messages"), part),
    runs: (part) => tables.runs(find("runs"), find("runs-count"), part, find("runs-filter").value),
    finding: (part) => {
      level(find("finding-state"), part.state || "", part.level || "");
      find("finding").hidden = find("finding-sentences").hidden = !part.x;
      tables.sentences(find("finding-sentences"), [part.title, ...(part.sentences || [])].filter(Boolean));
      plots.finding(find("finding"), part, simulated());
    },
    findings: (part) => tables.findings(find("findings"), part),
    notes: (part) => tables.notes(find("notes"), part),
    waits: (part) => tables.log(find("waits-log"), part),
    puts: (part) => tables.log(find("puts"), part),
  };

  // Readings of the newest dwell that the session does not report itself.
  function dwell() {
    const found = parts.dwell || {}, known = new Set(((parts.status || {}).readings || []).map((each) => each.name));
    return (found.readings || []).filter((each) => !known.has(each.name)).map((each) => ({ ...each, name: `${each.name}, last dwell` }));
  }

  function about() {
    const part = parts.about || {};
    find("sim").hidden = !simulated();
    document.body.classList.toggle("is-sim", simulated());
    find("title").textContent = [part.scan && `scan ${part.scan}`, part.title, part.proposal, part.users].filter(Boolean).join("   ");
  }

  function level(element, text, kind) {
    element.textContent = text;
    element.className = `level ${kind}`;
  }

  const lasting = (seconds) => {
    const whole = Math.max(0, Math.round(seconds)), minutes = Math.round(whole / 60);
    return whole < 90 ? `${whole} s` : minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  };

  // What depends on the time alone.
  function tick() {
    const made = parts.progress || {}, state = parts.status || {};
    find("left").textContent = made.ends && made.ends > now() ? `${lasting(made.ends - now())} left, ends ${tables.clock(made.ends).slice(0, 5)}` : "";
    find("waits").textContent = (state.waits || []).map((each) => `WAITS: ${each.reason}, for ${lasting(now() - each.since)}`).join("; ");
    const lost = state.session === "gone";
    find("session").textContent = [
      state.words && `Session: ${state.words}`, state.engine && `RunEngine ${state.engine}`,
      state.seen && `its last status is ${lasting(now() - state.seen)} old`,
      (parts.dwell || {}).time && `last dwell ${tables.when(parts.dwell.time)}: ${parts.dwell.quality}`,
    ].filter(Boolean).join("; ");
    find("session").className = lost ? "alert" : "faint";
    warn();
  }

  function warn() {
    const troubles = Object.entries(parts).filter(([name, text]) => name.startsWith("trouble_") && text).map(([name, text]) => `${name.slice(8)}: ${text}`);
    const lines = [
      failures >= LOST_AFTER ? "NO CONNECTION to the page's server: what you see is old" : "",
      (parts.status || {}).session === "gone" ? "SESSION LOST: the laser shutter may be open; start a session, or look" : "",
      troubles.length ? `parts of this page fail, ${troubles.join("; ")}` : "",
    ].filter(Boolean);
    find("alert").hidden = !lines.length;
    if (find("alert").textContent !== lines.join(". ")) find("alert").textContent = lines.join(". ");
    find("freshness").textContent = failures ? "Not connected." : "Connected.";
  }

  function refused() {
    find("alert").hidden = false;
    find("alert").textContent = "This link lacks its token, or the page was started anew with another one: ask for the new link.";
  }

  function allow(given) {
    if (given === role) return;
    role = given;
    find("note-form").hidden = role !== "write";
  }

  function scale(part) {
    const box = find("map-scale"), sigma = find("map-what").value === "sigma";
    box.replaceChildren();
    if (!part.rows) return;
    const most = sigma ? 6 : part.highest, ends = [`−${most.toPrecision(2)}`, `+${most.toPrecision(2)}`];
    box.append(`${ends[0]} `);
    for (let share = -1; share <= 1; share += 0.25) {
      const swatch = document.createElement("i");
      swatch.style.background = plots.shade(share);
      box.append(swatch);
    }
    box.append(` ${ends[1]}${sigma ? " sigma" : " %"}`);
  }

  async function write(event) {
    event.preventDefault();
    const text = find("note-text"), said = find("note-said");
    try {
      const body = JSON.stringify({ text: text.value, who: find("note-who").value });
      const answer = await fetch("/notes", { method: "POST", headers: headers({ "Content-Type": "application/json" }), body });
      const found = await answer.json();
      said.textContent = answer.ok ? "written" : found.error;
      if (answer.ok) text.value = "";
      pull();
    } catch (error) {
      said.textContent = "not written: no connection; the text is still here";
    }
  }

  find("note-form").addEventListener("submit", write);
  find("runs-filter").addEventListener("input", () => DRAWN.runs(parts.runs || []));
  find("map-what").addEventListener("change", () => DRAWN.map(parts.map || {}));
  document.addEventListener("visibilitychange", pull);
  const redraw = () => { for (const each of Object.keys(parts)) dirty.add(each); draw(); };
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  window.matchMedia("(min-width: 2200px)").addEventListener("change", redraw);
  setInterval(tick, 1000);
  pull();
})();
