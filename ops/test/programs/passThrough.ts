// Runs JavaScript in a Node of its own, on this process's terminal, and ends with its exit status.
import { passThrough } from "../../lib/exec.ts";

process.exitCode = await passThrough([process.execPath, "-e", process.argv[2] ?? ""]);
