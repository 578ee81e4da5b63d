"use strict";
// Draws the parts of the page with Plotly. Texts are escaped: Plotly takes some HTML in labels.

const plots = (() => {
  const SLOTS = 5;
  const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["toImage", "lasso2d", "select2d", "sendDataToCloud"] };
  const coarse = window.matchMedia("(pointer: coarse)").matches;

  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

  // Linear to 100 ps, logarithmic beyond, for delays.
  const bent = (ps) => Math.asinh(ps / 100);
  const DELAYS = [-1e4, -1e3, -300, -100, 0, 100, 300, 1e3, 1e4, 1e5];

  function layout(element, height, extra) {
    const size = rem() * 0.75;
    element.style.height = `${height}rem`;
    return {
      autosize: true, uirevision: "kept", hovermode: "closest", showlegend: false, dragmode: coarse ? false : "zoom",
      margin: { l: 4.2 * rem(), r: 0.6 * rem(), t: 1.6 * rem(), b: 2.9 * rem() },
      paper_bgcolor: colour("card"), plot_bgcolor: colour("card"),
      font: { size, color: colour("text"), family: "system-ui, DejaVu Sans, sans-serif" },
      modebar: { bgcolor: "rgba(0,0,0,0)" }, ...extra,
    };
  }

  function axis(label, extra) {
    return { title: { text: plain(label), standoff: 4 }, gridcolor: colour("grid"), zeroline: false, automargin: false,
      linecolor: colour("line"), ...extra };
  }

  const mark = (text, x, y, hue, anchor) => ({ text: plain(text), x, y, xref: "paper", yref: "paper", xanchor: anchor || "left",
    yanchor: "bottom", showarrow: false, font: { color: hue || colour("text"), size: rem() * 0.78 } });

  function points(series, hue, place, delays) {
    const look = { complete: [1, "circle", 1], before: [0.35, "circle", 1], now: [1, "circle-open", 1] }[series.look];
    return {
      type: "scatter", mode: series.joined ? "lines+markers" : "markers", name: plain(series.name),
      x: delays ? series.x.map(bent) : series.x, y: series.y, customdata: series.x, opacity: look[0],
      error_y: { type: "data", array: series.e.map((each) => each === null ? 0 : each), color: hue, thickness: 1.2, width: 0 },
      marker: { color: hue, symbol: look[1], size: rem() * 0.36 }, line: { color: hue, width: 1 },
      hovertemplate: "%{customdata:.6~g}: %{y:.5~g} ± %{error_y.array:.2~g}<extra>%{fullData.name}</extra>", ...place,
    };
  }

  // Rows of subplots above each other with a common horizontal axis; the first has `first` times the height of another.
  function rows(count, first) {
    const total = first + count - 1, gap = count > 1 ? 0.035 : 0, unit = (1 - gap * (count - 1)) / total;
    let top = 1;
    return Array.from({ length: count }, (_, number) => {
      const height = unit * (number ? 1 : first), domain = [Math.max(0, top - height), top];
      top -= height + gap;
      return domain;
    });
  }

  const place = (number) => ({ yaxis: `y${number ? number + 1 : ""}` });
  const name = (number) => `yaxis${number ? number + 1 : ""}`;

  function horizontal(part, last) {
    const bend = part.axis === "laser_delay";
    const ticks = bend ? { tickvals: DELAYS.map(bent), ticktext: DELAYS.map((each) => Math.abs(each) < 1e3 ? `${each}` : `${each / 1e3}k`) } : {};
    return axis(part.x_label, { anchor: `y${last ? last + 1 : ""}`, ...ticks });
  }

  const sim = (simulated) => simulated ? [{ text: "SIM", x: 0.5, y: 0.5, xref: "paper", yref: "paper", showarrow: false, opacity: 0.13,
    font: { size: rem() * 6, color: colour("text") }, textangle: -25 }] : [];

  function spectra(element, part, simulated) {
    const count = 1 + part.rows.length;
    if (!part.static.length && !part.rows.some((row) => row.series.length)) return clear(element);
    const delays = part.axis === "laser_delay", domains = rows(count, 1.7), traces = [], axes = {}, texts = sim(simulated);
    const short = element.clientWidth > 30 * rem() ? "laser " : "";
    const hues = { "laser off, slot 0": colour("off"), "laser on, slot 0": colour("on") };
    for (const each of part.static) traces.push(points({ ...each, joined: !delays && each.look === "complete" }, hues[each.name], place(0), delays));
    axes[name(0)] = axis("", { domain: domains[0] });
    texts.push(mark(part.static_label, 0, 1), { ...mark(`● ${short}off`, 1, 1, hues["laser off, slot 0"], "right"), xshift: (short ? -5.2 : -2.6) * rem() });
    if (part.static.some((each) => each.name.startsWith("laser on"))) texts.push(mark(`● ${short}on`, 1, 1, hues["laser on, slot 0"], "right"));
    part.rows.forEach((row, number) => {
      const hue = colour(`slot-${number % SLOTS}`);
      if (number === 0 && part.fit && part.fit.x) traces.push(...curve(part.fit, delays, place(1)));
      for (const each of row.series) traces.push(points({ ...each, name: row.name }, hue, place(number + 1), delays));
      axes[name(number + 1)] = axis(number === Math.floor((part.rows.length - 1) / 2) ? part.row_label : "",
        { domain: domains[number + 1], zeroline: true, zerolinecolor: colour("faint"), nticks: 5 });
      texts.push(mark(row.name, 0.005, domains[number + 1][1] - 0.006, hue));
    });
    const shape = layout(element, 12 + 6.5 * part.rows.length, { xaxis: horizontal(part, count - 1), ...axes, annotations: texts });
    shape.uirevision = `${part.axis} ${count}`;
    return Plotly.react(element, traces, shape, CONFIG);
  }

  function curve(fit, delays, where) {
    const x = delays ? fit.x.map(bent) : fit.x, base = { type: "scatter", mode: "lines", x, hoverinfo: "skip", ...where };
    const line = { ...base, y: fit.y, line: { color: colour("faint"), width: 1.5 } };
    if (!fit.band) return [line];
    const edge = { color: colour("faint"), width: 0 };
    return [{ ...base, y: fit.band[0], line: edge }, { ...base, y: fit.band[1], line: edge, fill: "tonexty", opacity: 0.3 }, line];
  }

  function counting(element, part, simulated) {
    if (!part.panels) return clear(element);
    const domains = rows(2, 1), traces = [], axes = {}, texts = sim(simulated);
    part.panels.forEach((panel, number) => {
      for (const each of panel.series) traces.push(points(each, colour(number ? "slot-3" : "slot-1"), place(number), part.x_label.includes("delay")));
      axes[name(number)] = axis("", { domain: domains[number], rangemode: "tozero", nticks: 5 });
      texts.push(mark(panel.label, 0, domains[number][1] - 0.005));
    });
    const part_axis = part.x_label.includes("delay") ? "laser_delay" : "";
    return Plotly.react(element, traces, layout(element, 17, { xaxis: horizontal({ ...part, axis: part_axis }, 1), ...axes,
      annotations: texts }), CONFIG);
  }

  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  function shade(share) { // from -1 to 1
    const end = rgb(colour(share < 0 ? "minus" : "plus")), zero = rgb(colour("zero")), size = Math.min(1, Math.abs(share));
    return `rgb(${zero.map((each, at) => Math.round(each + (end[at] - each) * size)).join(",")})`;
  }

  function map(element, part, what, simulated) {
    if (!part.rows) return clear(element);
    const scale = what === "sigma" ? (value) => value / 6 : (value) => Math.asinh(value / part.linear) / Math.asinh(part.highest / part.linear);
    const traces = part.rows.map((row, number) => {
      const values = row.y.map((each, at) => what === "sigma" && each !== null ? each / row.e[at] : each);
      return { type: "bar", name: plain(row.name), x: row.x, width: widths(row.x), base: number - 0.46, y: row.x.map(() => 0.92), customdata:
        row.y.map((each, at) => [each, row.e[at]]), marker: { color: values.map((each) => each === null ? colour("grid") : shade(scale(each))), line: { width: 0 } },
        hovertemplate: "%{x:.6~g} keV: %{customdata[0]:.4~g} ± %{customdata[1]:.2~g} %<extra>%{fullData.name}</extra>" };
    });
    const step = Math.ceil(part.rows.length / 26), named = part.rows.map((_, at) => at).filter((at) => at % step === 0);
    return Plotly.react(element, traces, layout(element, Math.min(30, 7 + 1.6 * part.rows.length), {
      barmode: "overlay", bargap: 0, xaxis: axis("X-ray energy / keV"), annotations: sim(simulated),
      margin: { l: 10.5 * rem(), r: 0.6 * rem(), t: 1.6 * rem(), b: 2.9 * rem() },
      yaxis: axis("", { tickvals: named, ticktext: named.map((at) => plain(part.rows[at].name)), range: [-0.5, part.rows.length - 0.5] }),
    }), CONFIG);
  }

  function widths(x) {
    return x.map((each, at) => x.length < 2 ? 1e-3 : ((x[at + 1] ?? 2 * each - x[at - 1]) - (x[at - 1] ?? 2 * each - x[at + 1])) / 2);
  }

  function drift(element, part, simulated) {
    const panels = [...(part.dwells || []), ...(part.passes || [])].filter((each) => (each.curve || each.off).x.length || (each.on && each.on.x.length));
    if (!panels.length) return clear(element);
    const domains = rows(panels.length, 1), traces = [], axes = {}, texts = sim(simulated);
    panels.forEach((panel, number) => {
      if (panel.curve) traces.push(between("each pass", panel.curve, colour("slot-2"), place(number)));
      else for (const [which, hue] of [["off", "off"], ["on", "on"]]) traces.push(between(`laser ${which}`, panel[which], colour(hue), place(number)));
      axes[name(number)] = axis("", { domain: domains[number], nticks: 4 });
      texts.push(mark(panel.label, 0, domains[number][1] - 0.005));
    });
    const shape = layout(element, 3 + 6 * panels.length, { xaxis: axis(part.x_label, { anchor: `y${panels.length > 1 ? panels.length : ""}` }), ...axes, annotations: texts });
    shape.uirevision = `${part.x_label} ${panels.length}`;
    return Plotly.react(element, traces, shape, CONFIG);
  }

  function between(title, found, hue, where) {
    const reach = (ends, sign) => found.y.map((each, at) => ends[at] === null ? 0 : sign * (ends[at] - each));
    return { type: "scatter", mode: "markers", name: title, x: found.x, y: found.y, marker: { color: hue, size: rem() * 0.28, symbol: title === "laser on" ? "diamond" : "circle" },
      error_y: { type: "data", symmetric: false, array: reach(found.high, 1), arrayminus: reach(found.low, -1), color: hue, thickness: 1, width: 0 },
      hovertemplate: "%{x:.4~g}: %{y:.5~g}<extra>%{fullData.name}</extra>", ...where };
  }

  function finding(element, part, simulated) {
    if (!part.x) return clear(element);
    const kind = { type: part.logarithmic ? "log" : "linear" }, [x, y] = part.labels;
    const traces = [points({ x: part.x, y: part.y, e: part.e, look: "complete", name: "measured" }, colour("slot-1"), place(0)),
      { type: "scatter", mode: "lines", x: part.fit_x, y: part.fit, line: { color: colour("faint"), width: 1.5 }, hoverinfo: "skip" }];
    const shape = layout(element, 17, { xaxis: axis(x, kind), yaxis: axis(y, kind), annotations: sim(simulated) });
    shape.uirevision = part.title;
    return Plotly.react(element, traces, shape, CONFIG);
  }

  function clear(element) {
    Plotly.purge(element);
    element.replaceChildren();
    element.style.height = "auto";
  }

  return { spectra, counting, map, drift, finding, shade };
})();
