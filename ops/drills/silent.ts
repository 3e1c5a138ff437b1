// A release that starts and never listens.
console.log("corrupt: it only waits");
setInterval(() => {}, 1000);
