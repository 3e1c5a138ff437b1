// Forks a helper as an app does, with its own options for Node, and prints what becomes of it.
const { fork } = require("node:child_process");

const helper = fork(`${__dirname}/helper.cjs`);
helper.send("work"); // before the helper listens for messages
helper.on("message", (message) => {
  console.log(`the helper says ${JSON.stringify(message)}`);
  if (message === "waiting") helper.kill("SIGTERM");
});
helper.on("close", (code, signal) => {
  console.log(`the helper ended by ${code ?? signal}`);
  // Another one ends when it has nothing more to do.
  fork(`${__dirname}/helper.cjs`, ["idle"]).on("close", (status) => console.log(`an idle one ended by ${status}`));
});
