// Shows how many backends of each app answer, as Prometheus has it.

const REFRESH_MS = 10_000;
// A visitor who came by https stays with it. The page itself is the same for both.
if (location.protocol === "https:")
  for (const link of document.querySelectorAll('a[data-secure^="https:"]')) link.href = `${link.dataset.secure}/`;
const states = [...document.querySelectorAll("[data-app]")];

/** The backends of each app: {up, all}. Empty where Prometheus does not answer. */
async function backends() {
  const found = {};
  try {
    const answer = await fetch(new URL("state.json", location.origin + location.pathname), {
      signal: AbortSignal.timeout(REFRESH_MS),
    });
    const { data } = await answer.json();
    for (const { metric, value } of data.result) {
      found[metric.app] ??= { up: 0, all: 0 };
      found[metric.app][metric.count] = Number(value[1]);
    }
  } catch {
    // The links stay, and each state is unknown.
  }
  return found;
}

async function refresh() {
  if (document.hidden) return;
  const found = await backends();
  for (const element of states) {
    const { app } = element.dataset;
    const { up, all } = found[app] ?? {};
    element.className = all === undefined ? "" : up === all ? "well" : up > 0 ? "bad" : "worse";
    element.textContent = `${app}: ${all === undefined ? "state unknown" : `${up} of ${all} backends answer`}`;
  }
}

document.addEventListener("visibilitychange", refresh);
setInterval(refresh, REFRESH_MS);
await refresh();
