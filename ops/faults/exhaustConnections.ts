// Takes every session that becomes free, with the service's own name and password. Where none is free it asks seldom:
// each try is a process of the database's, and a hundred a second would be the fault "cpu" as well.
import pg from "pg";

async function take(): Promise<never> {
  for (;;) {
    const client = new pg.Client({ application_name: "halo-fault" });
    client.on("error", () => {});
    const pause = await client.connect().then(
      () => 50,
      () =>
        client.end().then(
          () => 500,
          () => 500,
        ),
    );
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
for (let i = 0; i < 5; i++) take();
