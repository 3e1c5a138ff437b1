import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type Box, HEIGHT, place } from "../../../web/counter/parts/drawing.ts";

const overlap = (a: Box, b: Box) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

// 200: a phone of 320 px with large text; 288: the same with normal text; 768: a desktop.
it.each([200, 288, 328, 768].flatMap((width) => [0, 1, 2, 3, 4, 7, 12].map((backends) => [width, backends] as const)))(
  "a drawing of width %i and %i backends: all inside, nothing on anything else",
  (width, backends) => {
    const { you, balancer, nginx, redis, backends: boxes, height } = place(width, backends);
    expect(boxes).toHaveLength(backends);
    for (const { x, y, ...box } of [you, balancer, nginx, redis, ...boxes]) {
      expect([x >= 0, x + box.width <= width + 1e-9, y >= 0, y + box.height <= height]).toEqual([
        true,
        true,
        true,
        true,
      ]);
      expect(box.width).toBeGreaterThan(70);
    }
    const apart = [you, balancer, ...boxes];
    expect(apart.flatMap((a, i) => apart.slice(i + 1).filter((b) => overlap(a, b)))).toEqual([]);
    expect(overlap(nginx, redis)).toBe(false);
  },
);

it("the height that the style sheet reserves is that of one row, which three backends have on the smallest phone", () => {
  const style = readFileSync(new URL("../../../web/counter/page.css", import.meta.url), "utf8");
  expect(style).toContain(`#drawing {\n  display: block;\n  width: 100%;\n  height: ${HEIGHT / 16}rem;`);
  for (const backends of [0, 1, 2, 3]) expect(place(288, backends).height).toBe(HEIGHT);
  expect(place(288, 4).height).toBeGreaterThan(HEIGHT);
});
