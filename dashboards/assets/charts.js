"use strict";
// Draws the figures that the page carries as JSON, in the page's own inks; redraws when those change. No network, no eval.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const config = { displaylogo: false, responsive: true, modeBarButtons: [["toImage", "resetScale2d"]] };

  const themed = (figure) => {
    const copy = structuredClone(figure);
    const axis = { gridcolor: ink("--rule"), zerolinecolor: ink("--rule"), linecolor: ink("--rule") };
    copy.layout = {
      ...copy.layout,
      autosize: true,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: ink("--face"), size: 12, color: ink("--ink") },
      xaxis: { ...copy.layout.xaxis, ...axis, fixedrange: true },
      hoverlabel: { bgcolor: ink("--card"), bordercolor: ink("--rule"), font: { color: ink("--ink") }, align: "left" },
      dragmode: false,
    };
    for (const trace of copy.data) {
      if (trace.type === "bar") trace.marker.line.color = ink("--ground");
      if (trace.meta && trace.meta.ink) {
        const colour = ink(trace.meta.ink === "shell" ? "--shell" : "--complete");
        trace.line.color = colour;
        trace.marker.color = colour;
        trace.marker.line.color = colour;
      }
    }
    return copy;
  };

  const lead = (event) => {
    const href = event.points?.[0]?.customdata?.[3];
    if (typeof href === "string" && /^(\.\.\/)?(route|seam|request)\/[a-z0-9-]+\.html$/.test(href)) location.href = href;
  };

  const draw = (node) => {
    if (node.closest("[hidden]")) return;
    const source = document.getElementById(`${node.id}-figure`);
    const figure = themed(JSON.parse(source.textContent));
    const first = !node.dataset.drawn;
    node.dataset.drawn = "yes";
    Plotly.react(node, figure.data, figure.layout, config);
    if (first) node.on("plotly_click", lead);
  };
  const drawAll = () => document.querySelectorAll(".plot").forEach(draw);

  for (const group of document.querySelectorAll("[data-switch]")) {
    group.addEventListener("change", (event) => {
      for (const figure of document.querySelectorAll(`figure[data-group="${group.dataset.switch}"]`))
        figure.hidden = figure.dataset.variant !== event.target.value;
      drawAll();
    });
  }

  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((node) => { node.open = true; });
    document.documentElement.classList.add("printing");
    drawAll();
  });
  window.addEventListener("afterprint", () => {
    opened.forEach((node) => { node.open = false; });
    document.documentElement.classList.remove("printing");
    drawAll();
  });
  dark.addEventListener("change", drawAll);
  drawAll();
})();
