// The drawing of the hosts and of the way that a request takes through them. One unit is a sixteenth of a rem.

/** The least height, which page.css reserves: one row of backends. */
export const HEIGHT = 312;
const GAP = 12;
const ROW = 88;
const NARROWEST = 88;
const WIDEST = 176;
const ROWS_FROM = 220;
const TRIP_MS = 1400;
/** A character's width at most; longer names are cut. */
const CHARACTER = 8;

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The place of everything in a drawing. */
export interface Places {
  you: Box;
  balancer: Box;
  nginx: Box;
  redis: Box;
  backends: Box[];
  height: number;
}

export interface Scene {
  you: string;
  balancer: { name: string; reachable: boolean };
  /** False while Redis does not answer. */
  redis: boolean;
  /** `colour` is the class of its colour, `state` one word, `share` its part of the last answers. */
  backends: { name: string; colour: string; alive: boolean; state: string; share: string }[];
  /** The backend that gave the last answer. */
  last?: string;
  /** Whether a request waits for its answer. */
  waiting: boolean;
}

/** Places the hosts on a drawing of this width; the backends in as many rows as they need. */
export function place(width: number, backends: number): Places {
  const fits = Math.max(1, Math.floor((width + GAP) / (NARROWEST + GAP)));
  const columns = Math.min(fits, Math.max(1, backends));
  const size = Math.min(WIDEST, (width - GAP * (columns - 1)) / columns);
  const rows = Math.max(1, Math.ceil(backends / columns));
  const host = Math.min(width, 320);
  const balancer = { x: (width - host) / 2, y: 72, width: host, height: ROW };
  const half = { y: balancer.y + 38, width: host / 2 - 1.5 * GAP, height: 38 };
  const nginx = { ...half, x: balancer.x + GAP };
  return {
    you: { x: nginx.x + nginx.width / 2 - 40, y: 2, width: 80, height: 36 },
    balancer,
    nginx,
    redis: { ...half, x: balancer.x + host / 2 + GAP / 2 },
    backends: Array.from({ length: backends }, (_, i) => {
      const row = Math.floor(i / columns);
      const inRow = row < rows - 1 ? columns : backends - row * columns;
      const left = (width - inRow * size - (inRow - 1) * GAP) / 2;
      return {
        x: left + (i % columns) * (size + GAP),
        y: ROWS_FROM + row * (ROW + GAP),
        width: size,
        height: ROW,
      };
    }),
    height: HEIGHT + (rows - 1) * (ROW + GAP),
  };
}

type Point = [x: number, y: number];
const middle = ({ x, width }: Box): number => x + width / 2;
const path = (points: Point[]): string => `M${points.map((each) => each.join(" ")).join("L")}`;

/** The two parts of a request's way: to the backend, and from there to Redis. Its answer returns on the same way. */
function way({ you, nginx, redis }: Places, backend: Box): { there: Point[]; onward: Point[] } {
  const top = backend.y;
  return {
    there: [
      [middle(you), you.y + you.height],
      [middle(nginx), nginx.y],
      [middle(nginx), nginx.y + nginx.height],
      [middle(backend) - GAP, top],
    ],
    onward: [
      [middle(backend) + GAP, top],
      [middle(redis), redis.y + redis.height],
    ],
  };
}

type Attributes = Record<string, string | number>;
function draw(tag: string, attributes: Attributes, ...children: (Node | string)[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

function host(box: Box, attributes: Attributes, lines: string[], firstLine: number): SVGElement {
  const most = Math.floor((box.width - 8) / CHARACTER);
  const texts = lines.map((line, i) =>
    draw(
      "text",
      { x: middle(box), y: box.y + firstLine + i * 22, "text-anchor": "middle" },
      line.length > most ? `${line.slice(0, most - 1)}…` : line,
    ),
  );
  return draw("g", attributes, draw("rect", { ...box, rx: 12 }), ...texts);
}

/**
 * Draws the scene into an empty or an earlier drawing.
 *
 * @param svg as wide as its place; it gets its height here
 */
export function drawScene(svg: SVGSVGElement, scene: Scene): void {
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  const width = svg.getBoundingClientRect().width / rem;
  const places = place(width, scene.backends.length);
  svg.setAttribute("viewBox", `0 0 ${width} ${places.height}`);
  svg.style.height = `${places.height / 16}rem`;

  const both = scene.backends.map((backend, i) => ({ ...backend, box: places.backends[i] as Box }));
  const links = both.flatMap(({ box, alive, name, colour }) => {
    const { there, onward } = way(places, box);
    const kind = !alive ? "link cut" : name === scene.last ? `link taken ${colour}` : "link";
    return [there, onward].map((points) => draw("path", { class: kind, d: path(points) }));
  });
  // The ways that are taken cover the others.
  links.sort((a, b) => Number(a.matches(".taken")) - Number(b.matches(".taken")));

  const { name, reachable } = scene.balancer;
  const travelling = svg.querySelector<SVGElement>(".request");
  const request = travelling ?? draw("circle", { class: "request", r: 7 });
  const waiting: Attributes = { cx: middle(places.nginx), cy: places.nginx.y };
  for (const [key, value] of Object.entries(scene.waiting ? waiting : { cx: 0, cy: 0 }))
    request.setAttribute(key, String(value));
  request.classList.toggle("waiting", scene.waiting);
  if (scene.waiting) request.style.offsetPath = "none";

  const shapes = [
    ...links,
    host(places.you, { class: "host" }, [scene.you], 23),
    host(places.balancer, { class: reachable ? "host" : "host silent" }, [name], 25),
    host(places.nginx, { class: reachable ? "host" : "host silent" }, ["nginx"], 24),
    host(places.redis, { class: scene.redis ? "host" : "host silent" }, ["Redis"], 24),
    ...both.map(({ box, alive, name, colour, state, share }) =>
      host(
        box,
        { class: alive ? `backend ${colour}` : "backend cut", "data-backend": name, "data-alive": String(alive) },
        [name, state, share],
        26,
      ),
    ),
  ];
  // The request stays in its place: moving its element would end its trip.
  for (const each of [...svg.children]) if (each !== request) each.remove();
  if (travelling) svg.prepend(...shapes);
  else svg.append(...shapes, request);
}

/** Sends a dot on the way of a request to this backend and back, unless the person wants no motion. */
export function travel(svg: SVGSVGElement, scene: Scene): void {
  const request = svg.querySelector<SVGElement>(".request");
  const places = place(svg.viewBox.baseVal.width, scene.backends.length);
  const box = places.backends[scene.backends.findIndex(({ name }) => name === scene.last)];
  if (!request || !box || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const { there, onward } = way(places, box);
  const trip = [...there, ...onward];
  request.style.offsetPath = `path("${path([...trip, ...trip.toReversed()])}")`;
  request.animate(
    [
      { offsetDistance: "0%", opacity: 1 },
      { offsetDistance: "100%", opacity: 1 },
    ],
    { duration: TRIP_MS, easing: "ease-in-out" },
  );
}
