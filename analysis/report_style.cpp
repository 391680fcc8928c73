#include "analysis/report_style.h"

namespace fer::report {

const std::string_view style_sheet = R"css(
:root {
  color-scheme: light dark;
  --page: #f5f3ee; --surface: #fffdf9; --ink: #1e2124; --muted: #5a5e64; --rule: #ddd8ce; --accent: #1d5f99;
  --right: #1d6a44; --wrong: #a5301c; --heat-rgb: 29 95 153; --heat-most: .6; --track: #e9e5dc;
  --series-1: #1d5f99; --series-2: #b4501a; --series-3: #1d7a5a; --series-4: #7b4aa6; --series-5: #8a6a00;
  --series-6: #a83266;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #141618; --surface: #1d2023; --ink: #e9e6e0; --muted: #a6a8ab; --rule: #363a3f; --accent: #84bbf0;
    --right: #83d3a6; --wrong: #ff9d87; --heat-rgb: 84 148 214; --heat-most: .55; --track: #31353a;
    --series-1: #7ab6f0; --series-2: #f0a06a; --series-3: #6fcfa8; --series-4: #c3a0ea; --series-5: #dcbc55;
    --series-6: #f08db4;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
body > header, main, body > footer { max-width: 70rem; margin: 0 auto; padding: 0 1.25rem; overflow-wrap: break-word; }
body > header { padding-top: 2.5rem; }
.maker { margin: 0; color: var(--muted); font-size: .8rem; letter-spacing: .14em; text-transform: uppercase; }
h1 { margin: .2rem 0 .4rem; font-size: clamp(1.6rem, 4vw, 2.3rem); line-height: 1.15; letter-spacing: -.015em; }
h2 { margin: 0; font-size: 1.45rem; letter-spacing: -.01em; }
h3 { margin: 0 0 .2rem; font-size: 1.1rem; }
h4 { margin: 0 0 .3rem; font-size: .85rem; color: var(--muted); }
a { color: var(--accent); text-underline-offset: .15em; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; padding: .4rem 0 0; font-size: .95rem; }
.run { margin: 1.6rem 0 3rem; scroll-margin-top: 1rem; }
.run > h2 { border-top: 2px solid var(--ink); padding-top: .7rem; }
.facts { display: flex; flex-wrap: wrap; gap: .15rem 1.4rem; margin: .25rem 0 1.1rem; padding: 0; list-style: none; }
.facts li { color: var(--muted); font-size: .9rem; min-width: 0; }
.facts b { color: var(--ink); font-weight: 600; overflow-wrap: anywhere; }
section {
  background: var(--surface); border: 1px solid var(--rule); border-radius: 10px; padding: 1.1rem 1.3rem 1.3rem;
  margin: 1rem 0;
}
.note { color: var(--muted); font-size: .88rem; margin: 0 0 .9rem; max-width: 62rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.4rem, 1fr)); gap: .7rem; margin: 0 0 .6rem; }
.tile { display: grid; grid-row: span 3; grid-template-rows: subgrid; row-gap: 0; background: var(--surface); border: 1px solid var(--rule); border-radius: 10px; padding: .75rem .8rem .8rem; }
.tile:first-child { border-color: var(--accent); box-shadow: inset 0 3px 0 var(--accent); }
.tile dt { font-size: .85rem; line-height: 1.3; color: var(--muted); }
.tile dd { display: contents; }
.tile b { display: block; font-size: 1.85rem; line-height: 1.2; font-weight: 650; letter-spacing: -.02em; }
.tile span { font-size: .8rem; line-height: 1.4; color: var(--muted); }

.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); gap: 1.2rem; }
.charts > .chart:only-child { max-width: 40rem; }
figure { margin: 0; min-width: 0; }
.chart { display: flex; flex-direction: column; }
.chart figcaption { font-weight: 600; font-size: .95rem; }
.chart .note { margin: 0 0 .3rem; font-size: .82rem; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: 0 0 .3rem; padding: 0; list-style: none; font-size: .82rem; }
.legend svg { width: 26px; height: 8px; margin-right: .4rem; vertical-align: middle; }
.plot { position: relative; width: 100%; margin-top: auto; }
.plot canvas { display: block; }
.plot.drawn { height: 15rem; }
.plot.drawn > svg { display: none; }
.plot > svg { display: block; width: 100%; height: auto; }
.plot text { fill: var(--muted); font-size: 12px; }
.grid { stroke: var(--rule); stroke-width: 1; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line-1 { stroke: var(--series-1); }
.line-2 { stroke: var(--series-2); stroke-dasharray: 7 3; }
.line-3 { stroke: var(--series-3); stroke-dasharray: 2 3; }
.line-4 { stroke: var(--series-4); stroke-dasharray: 8 3 2 3; }
.line-5 { stroke: var(--series-5); stroke-dasharray: 12 4; }
.line-6 { stroke: var(--series-6); stroke-dasharray: 4 2; }
.dot-1, .band-1 { fill: var(--series-1); } .dot-2, .band-2 { fill: var(--series-2); }
.dot-3, .band-3 { fill: var(--series-3); } .dot-4, .band-4 { fill: var(--series-4); }
.dot-5, .band-5 { fill: var(--series-5); } .dot-6, .band-6 { fill: var(--series-6); }
[class^="band-"] { opacity: .16; }

.scroll { overflow-x: auto; }
.scroll + .charts { margin-top: 1.5rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { padding: .42rem .6rem; text-align: left; vertical-align: middle; }
thead th { font-size: .82rem; font-weight: 600; color: var(--muted); }
tbody th, tfoot th { font-weight: 500; }
tbody tr, tfoot tr { border-top: 1px solid var(--rule); }
tfoot tr:first-child { border-top: 2px solid var(--rule); }
tfoot th { color: var(--muted); }
.number { text-align: right; white-space: nowrap; }
td.text { white-space: normal; }
td small { display: block; color: var(--muted); font-size: .8rem; white-space: nowrap; }
.change { color: var(--muted); font-size: .85rem; margin-right: .7rem; }
.comparison td { min-width: 7.5rem; vertical-align: top; }
.comparison th[scope="row"] { min-width: 9rem; vertical-align: top; }
.comparison thead th { white-space: normal; overflow-wrap: anywhere; vertical-align: bottom; }

.confusion { width: 100%; border-collapse: separate; border-spacing: 3px; margin: -3px; }
.confusion tr { border: 0; }
.confusion td[style] {
  min-width: 4.6rem; text-align: center; padding: .42rem .2rem; border-radius: 5px; line-height: 1.25;
  background: rgb(var(--heat-rgb) / calc(.03 + var(--heat) * var(--heat-most)));
}
.confusion td b { display: block; font-weight: 600; }
.confusion td span { font-size: .78rem; }
.confusion td.right { outline: 2px solid var(--accent); outline-offset: -2px; }
.confusion thead th { text-align: center; padding: .15rem .2rem; }
.confusion tbody th { text-align: right; padding: 0 .5rem 0 0; }
.confusion .axis { font-weight: 400; font-style: italic; }
.confusion .corner { text-align: right; padding-right: .5rem; }

.scores .score { min-width: 8.5rem; width: 26%; }
.scores th { white-space: nowrap; }
.scores th, .scores td { vertical-align: top; }
.bar { display: inline-block; width: calc(100% - 4rem); height: .6rem; margin-right: .5rem; border-radius: 3px; background:
  linear-gradient(var(--series-1) 0 0) 0 0 / var(--v) 100% no-repeat, var(--track); }
tfoot .bar { background: linear-gradient(var(--muted) 0 0) 0 0 / var(--v) 100% no-repeat, var(--track); }

img { image-rendering: crisp-edges; image-rendering: pixelated; display: block; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.2rem, 1fr)); gap: .9rem .8rem; }
.face img { width: 100%; height: auto; border-radius: 6px; border: 2px solid var(--rule); padding: 2px; }
.face.wrong img { border: 2px dashed var(--wrong); }
.face figcaption { font-size: .82rem; line-height: 1.3; margin-top: .3rem; overflow-wrap: anywhere; }
.verdict { display: block; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.verdict.wrong b { color: var(--wrong); }
.detail { display: block; color: var(--muted); font-size: .8rem; line-height: 1.35; }
.mark { width: .85em; height: .85em; margin-right: .3em; vertical-align: -.06em; fill: none; stroke: var(--right); stroke-width: 2.6;
  stroke-linecap: round; stroke-linejoin: round; }
.wrong .mark { stroke: var(--wrong); }
.right .mark { stroke: var(--right); }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(25rem, 100%), 1fr)); gap: 1rem; }
.panel { border: 1px solid var(--rule); border-radius: 8px; padding: .75rem .85rem .85rem; min-width: 0; }
.panel header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; font-size: .88rem; margin-bottom: .5rem;
  overflow-wrap: anywhere; }
.panel header span { color: var(--muted); }
.steps { display: grid; grid-template-columns: repeat(3, 1fr); gap: .7rem; }
.steps img { width: 100%; height: auto; border-radius: 5px; }
.steps figcaption { font-size: .8rem; color: var(--muted); margin-bottom: .2rem; white-space: nowrap; }
.below { margin-top: .35rem; font-size: .84rem; line-height: 1.35; overflow-wrap: anywhere; }
.below small { color: var(--muted); font-size: .78rem; }

.attacks { margin-top: .8rem; }
.attacks tbody th { min-width: 11rem; }
.attacks .ranges { min-width: 11rem; width: 30%; padding: .42rem 1.2rem; }
.attacks thead .ranges { font-weight: 400; }
.attacks thead .ranges span:last-child { float: right; margin-right: -1rem; }
.attacks thead .ranges span:first-child { margin-left: -.5rem; }
.range { display: block; position: relative; height: .95rem; }
.range::before { content: ""; position: absolute; left: 0; right: 0; top: calc(50% - 1px); height: 2px; background: var(--track); }
.range i { position: absolute; top: calc(50% - 3px); height: 6px; min-width: 2px; border-radius: 3px; opacity: .45; background: var(--series-2); }
.range em { position: absolute; top: calc(50% - 5px); width: 10px; height: 10px; margin-left: -5px; border-radius: 50%;
  background: var(--series-2); }
.range.clean i { background: var(--series-1); }
.range.clean em { background: var(--surface); border: 2px solid var(--series-1); }
.pairs { width: auto; min-width: min(100%, 24rem); }
.pairs td { overflow-wrap: anywhere; }
.pairs.cost td { white-space: normal; }
details summary { cursor: pointer; }
details summary h3 { display: inline; margin-right: .8rem; }
details summary .note { margin: 0; }
.groups { columns: 22rem 2; column-gap: 2.5rem; margin-top: 1rem; }
.group { break-inside: avoid; margin-bottom: 1.2rem; }
.group .pairs { width: 100%; min-width: 0; font-size: .85rem; }
.group th, .group td { padding: .25rem .4rem .25rem 0; vertical-align: top; }
.group th { width: 42%; color: var(--muted); overflow-wrap: anywhere; }
body > footer { color: var(--muted); font-size: .82rem; padding-bottom: 2.5rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
@media (max-width: 40rem) {
  body > header, main, body > footer { padding-left: .8rem; padding-right: .8rem; }
  section { padding: .9rem .85rem 1rem; }
  .tiles { grid-template-columns: repeat(2, 1fr); gap: .6rem; }
  .tile { padding: .65rem .75rem; }
  .tile b { font-size: 1.5rem; }
  .confusion { border-spacing: 2px; font-size: .8rem; }
  .confusion td[style] { min-width: 2rem; padding: .3rem 0; }
  .confusion td span { font-size: .62rem; }
  .confusion thead th span { writing-mode: vertical-rl; transform: rotate(180deg); display: inline-block; }
  .confusion thead tr:last-child th { vertical-align: bottom; }
  .confusion tbody th, .confusion .corner { padding-right: .3rem; font-size: .78rem; }
  .scores { font-size: .85rem; }
  .scores th, .scores td { padding: .38rem .3rem; }
  .scores .score { min-width: 0; }
  .scores .bar { display: block; width: 100%; height: .4rem; margin: 0 0 .15rem; }
  .score small { font-size: .66rem; letter-spacing: -.02em; }
  .gallery { grid-template-columns: repeat(auto-fill, minmax(5.6rem, 1fr)); gap: .7rem .6rem; }
  .steps { gap: .5rem; }
  .pairs { width: 100%; }
  .comparison td { min-width: 0; }
  .comparison th[scope="row"] { min-width: 6.5rem; }
  .comparison th, .comparison td { padding: .4rem .3rem; }
  .change { display: block; margin: 0; }
  .scores th { white-space: normal; }
  .attacks thead { display: none; }
  .attacks tbody tr { display: grid; grid-template-columns: repeat(4, 1fr); padding: .5rem 0; }
  .attacks tbody th, .attacks .ranges { grid-column: 1 / -1; padding: .15rem 0; width: auto; min-width: 0; }
  .attacks .ranges { padding: .3rem .4rem; }
  .attacks tbody th { font-weight: 600; }
  .attacks .number { text-align: left; padding: .15rem .3rem .15rem 0; }
  .attacks .number:nth-of-type(1), .attacks .number:nth-of-type(2) { grid-column: span 2; }
  .attacks .number::before { content: attr(data-label); display: block; color: var(--muted); font-size: .75rem; }
  .attacks .number small { display: inline; margin-left: .4rem; }
}
@media print { section, .tile { break-inside: avoid; } body { background: none; } }
)css";

const std::string_view chart_script = R"js(
(function () {
  "use strict";
  if (typeof Chart === "undefined") return;
  const charts = JSON.parse(document.getElementById("chart-data").textContent);
  const dashes = [[], [7, 3], [2, 3], [8, 3, 2, 3], [12, 4], [4, 2]];
  let drawn = [];

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // 0.0314159 -> "0.03142"
  function compact(value) {
    return String(Number(value.toPrecision(4)));
  }

  function text(chart, value) {
    return chart.fraction ? (100 * value).toFixed(1) + "%" : compact(value);
  }

  // A series is one line, and two invisible ones that hold its band between them.
  function datasets(chart) {
    const lines = [], bands = [];
    chart.series.forEach(function (series, i) {
      const stroke = colour("--series-" + (i % 6 + 1));
      lines.push({
        label: series.name, series: series, data: series.points.map(p => ({x: p[0], y: p[1]})), borderColor: stroke,
        backgroundColor: stroke, borderWidth: 2, borderDash: dashes[i % 6], pointHoverRadius: 5,
        pointRadius: series.points.length <= 12 ? 3 : 0
      });
      if (!series.band) return;
      const edge = {borderWidth: 0, pointRadius: 0, pointHoverRadius: 0, pointHitRadius: 0, backgroundColor: stroke + "28"};
      bands.push(Object.assign({}, edge, {data: series.points.map(p => ({x: p[0], y: p[2]})), fill: "+1"}));
      bands.push(Object.assign({}, edge, {data: series.points.map(p => ({x: p[0], y: p[3]})), fill: false}));
    });
    return lines.concat(bands);
  }

  function options(chart) {
    const axes = chart.axes, muted = colour("--muted"), rule = colour("--rule");
    return {
      animation: false, clip: 8, layout: {padding: {right: 8}}, maintainAspectRatio: false, responsive: true,
      interaction: {mode: "nearest", axis: "x", intersect: false},
      scales: {
        x: {
          type: "linear", min: axes.xLow, max: axes.xHigh, grid: {display: false, borderColor: rule},
          title: {display: true, text: chart.x, color: muted},
          ticks: {color: muted, stepSize: axes.xStep, maxRotation: 0, callback: compact, includeBounds: false}
        },
        y: {
          type: chart.logarithmic ? "logarithmic" : "linear", min: axes.yLow, max: axes.yHigh,
          grid: {color: rule, borderColor: rule},
          ticks: chart.logarithmic ? {
            color: muted, callback: v => Number.isInteger(Number(Math.log10(v).toFixed(6))) ? compact(v) : null
          } : {
            color: muted, stepSize: axes.yStep,
            callback: v => chart.fraction ? compact(100 * v) + "%" : compact(v)
          }
        }
      },
      plugins: {
        legend: {display: false},
        tooltip: {
          filter: item => item.dataset.series !== undefined, backgroundColor: colour("--ink"),
          titleColor: colour("--surface"), bodyColor: colour("--surface"),
          callbacks: {
            title: items => items.length ? chart.x + " " + compact(items[0].parsed.x) : "",
            label: function (item) {
              const point = item.dataset.series.points[item.dataIndex];
              const range = item.dataset.series.band ? " (" + text(chart, point[2]) + " to " + text(chart, point[3]) + ")" : "";
              return " " + item.dataset.label + ": " + text(chart, point[1]) + range;
            }
          }
        }
      }
    };
  }

  function draw() {
    drawn.forEach(chart => chart.destroy());
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    drawn = Array.from(document.querySelectorAll(".plot"), function (plot) {
      const chart = charts[Number(plot.dataset.chart)];
      let canvas = plot.querySelector("canvas");
      if (!canvas) {
        canvas = document.createElement("canvas");
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", plot.querySelector("svg").getAttribute("aria-label"));
        plot.appendChild(canvas);
        plot.classList.add("drawn");
      }
      return new Chart(canvas, {type: "line", data: {datasets: datasets(chart)}, options: options(chart)});
    });
  }

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
)js";

}  // namespace fer::report
