if (process.argv[2] !== "idle")
  setTimeout(() => {
    process.on("message", (message) => {
      process.send(message);
      process.send("waiting");
    });
  }, 100);
