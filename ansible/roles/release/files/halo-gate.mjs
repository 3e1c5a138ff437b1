// Managed by Ansible (role release). Waits until the service at HOST PORT is ready and is release ID; halo-release runs it as nobody.
//   halo-gate.mjs HOST PORT ID SECONDS [PID]   gives up early if the process PID is gone, or another release answers in its place
// Exit status: 0 it is; 1 it is not, and the reason is printed; 2 it is not, because another release answers there.
const [host, port, id, seconds, pid] = process.argv.slice(2);
const end = Date.now() + seconds * 1000;
const get = (path) => fetch(`http://${host}:${port}${path}`, { signal: AbortSignal.timeout(3000) });

/** Why the service there is not ready as this release; undefined if it is. */
async function reasonNow() {
  try {
    const ready = await get("/readyz");
    const { release } = await (await get("/version")).json();
    if (release !== id) return { text: `it answers as release ${release}`, other: true };
    if (ready.status !== 200) return { text: `/readyz answers ${ready.status}: ${await ready.text()}` };
  } catch (error) {
    return { text: error.cause?.message ?? error.message };
  }
}

/** Whether there is still a process to wait for. */
function alive() {
  if (pid === undefined) return true;
  if (pid === "0") return false; // systemd knows it no longer
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === "EPERM"; // the process exists, and belongs to another user
  }
}

for (;;) {
  const reason = await reasonNow();
  if (!reason) break;
  const lives = alive();
  // A candidate will not change its mind; on the real port the old worker may answer for a moment.
  const final = !lives || (pid !== undefined && reason.other);
  if (!final && Date.now() < end) {
    await new Promise((next) => setTimeout(next, 200));
    continue;
  }
  const why = lives ? reason.text : "it stopped by itself";
  console.error(`http://${host}:${port} did not become ready as ${id}: ${why}`);
  process.exit(reason.other && lives ? 2 : 1);
}
