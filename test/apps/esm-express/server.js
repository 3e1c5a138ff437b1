import express from "express";

const app = express();
app.use(express.json());
app.get("/", (_req, res) => res.send("hello\n"));
app.post("/", (req, res) => res.json(req.body));
app.listen(process.env.PORT);
