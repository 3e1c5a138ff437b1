import { expect, test } from "vitest";
import { PlayReader } from "../lib/plays.ts";

const output = `
PLAY [Take the deploy lock] ****************************************************

TASK [Describe the lock] *******************************************************
ok: [balancer] =>${" "}
    msg: |-
        The lock of somebody@elsewhere: hands off.

        Its process has died.
changed: [balancer]

TASK [Check something] *********************************************************
ok: [balancer] =>${" "}
    changed: false
fatal: [backend1]: FAILED! =>${" "}
    msg: refused

PLAY [Report] ******************************************************************

TASK [Report the backends that serve the release] ******************************
ok: [balancer] =>${" "}
    msg: 'backend1: release A is in service'

PLAY RECAP *********************************************************************
balancer                   : ok=5    changed=1`;

test("of a playbook's output the titles of its plays and its messages are for people", () => {
  const reader = new PlayReader();
  const seen = output.split("\n").flatMap((line) => {
    const { play, message } = reader.read(line);
    return [...(message === undefined ? [] : [{ message }]), ...(play === undefined ? [] : [{ play }])];
  });
  expect(seen).toEqual([
    { play: "Take the deploy lock" },
    { message: "The lock of somebody@elsewhere: hands off.\n\nIts process has died." },
    { play: "Report" },
    { message: "backend1: release A is in service" },
  ]);
});
