// Draws the plots of a load's page. The page has `data`, its metrics by second, and uPlot.
const plot = (id, names, colours) => {
  const at = document.getElementById(id);
  const options = {
    width: at.clientWidth,
    height: 240,
    scales: { x: { time: false } },
    series: [
      { label: "s" },
      ...names.map((label, i) => ({ label, stroke: colours[i], width: 2, points: { show: data.second.length < 3 } })),
    ],
  };
  const drawn = new uPlot(options, [data.second, ...names.map((name) => data[name])], at);
  addEventListener("resize", () => drawn.setSize({ width: at.clientWidth, height: 240 }));
};
plot("rate", ["requests", "failed"], ["#1565c0", "#b00020"]);
plot("latency", ["p50", "p95"], ["#2e7d32", "#ef6c00"]);
