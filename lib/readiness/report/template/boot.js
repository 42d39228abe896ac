"use strict";
// Draws each figure from the data that stands in it. The table beside a figure says the same, so
// it is folded once the figure is there. On paper everything folded is open.
(() => {
  const PAPER_PX = 620;
  const NARROW_PX = 480;
  const charts = [...document.querySelectorAll("figure.chart")].map((figure) => ({
    plot: figure.querySelector(".plot"),
    table: figure.querySelector("details"),
    ...JSON.parse(figure.querySelector("script").textContent),
  }));
  // A narrow figure has no room beside its names: the table has the titles too.
  const narrow = (layout) => ({
    ...layout,
    font: { ...layout.font, size: 11 },
    yaxis: { ...layout.yaxis, title: { text: "" } },
    xaxis: { ...layout.xaxis, nticks: 5, title: { ...layout.xaxis?.title, font: { size: 11 } },
      ...(layout.xaxis?.type === "log" ? { dtick: 1 } : {}) },
  });
  const draw = (chart, width) =>
    Plotly.react(chart.plot, chart.data, {
      ...(width < NARROW_PX ? narrow(chart.layout) : chart.layout), width, autosize: false,
    }, {
      displayModeBar: false,
      showTips: false,
      scrollZoom: false,
      doubleClick: "reset",
    });
  const fit = () => charts.forEach((chart) => draw(chart, chart.plot.clientWidth));
  // The keyboard reaches what can be scrolled, and does not stop at what cannot.
  const reach = () => document.querySelectorAll(".scroll").forEach((box) => {
    if (box.closest("details:not([open])")) return; // asking for its width would lay it out
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  });
  fit();
  charts.forEach((chart) => { if (chart.table) chart.table.open = false; });

  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { fit(); reach(); }, 120);
  });
  addEventListener("toggle", reach, true);

  let opened = [];
  addEventListener("beforeprint", () => {
    charts.forEach((chart) => draw(chart, PAPER_PX));
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((fold) => { fold.open = true; });
  });
  addEventListener("afterprint", () => {
    opened.forEach((fold) => { fold.open = false; });
    fit();
  });

  // A link to a finding opens it.
  const reveal = () => {
    const fold = location.hash && document.getElementById(location.hash.slice(1));
    if (fold instanceof HTMLDetailsElement) fold.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();
  reach();
})();
