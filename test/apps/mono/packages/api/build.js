// The smallest build there is: lib/ is not in git.
const { cpSync } = require("node:fs");

cpSync("src", "lib", { recursive: true });
