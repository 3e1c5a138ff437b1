setInterval(() => console.log("one job"), 60_000);
