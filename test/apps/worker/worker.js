import { spawn } from "node:child_process";

// A process of its own, which it does not end.
spawn(process.execPath, ["child.js"], { stdio: "inherit" });
setInterval(() => console.log("one job"), 60_000);
