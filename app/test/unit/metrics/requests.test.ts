import { ServerResponse } from "node:http";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { RequestMeter } from "../../../src/metrics/requests.ts";

function setUp() {
  const registry = new Registry();
  const meter = new RequestMeter(registry);
  const request = (method: string, route?: { path: string }, { status = 200, mount = "", left = false } = {}) => {
    const res = new ServerResponse({ method, route } as never);
    res.statusCode = status;
    res.context = {
      id: "id",
      servedBy: "web1",
      release: "test",
      startedAt: performance.now(),
      mount,
      logged: true,
    };
    Object.defineProperty(res, "writableFinished", { value: !left });
    meter.begin();
    return () => meter.end(res, 101);
  };
  const samples = async (name: string) =>
    (await registry.metrics()).split("\n").filter((line) => line.startsWith(name) && !line.endsWith(" 0"));
  return { request, samples, text: () => registry.metrics() };
}

test("a request counts by method, pattern and status, and its time by the first two", async () => {
  const { request, samples } = setUp();
  const one = { path: "/customers/:id" };
  request("GET", one, { mount: "/api" })();
  request("GET", one, { mount: "/api", status: 404 })();
  request("GET", { path: "/" }, { mount: "/api" })();
  request("GET", { path: "/" })();
  expect(await samples("http_requests_total")).toEqual([
    'http_requests_total{method="GET",route="/api/customers/:id",status="200"} 1',
    'http_requests_total{method="GET",route="/api/customers/:id",status="404"} 1',
    'http_requests_total{method="GET",route="/api",status="200"} 1',
    'http_requests_total{method="GET",route="/",status="200"} 1',
  ]);
  const times = (await samples("http_request_duration_seconds")).filter((line) => line.includes("/api/customers/:id"));
  expect(times).toContain('http_request_duration_seconds_bucket{le="0.15",method="GET",route="/api/customers/:id"} 2');
  expect(times.join()).not.toContain('le="0.1"');
});

test("a client that closed the connection is a 499, whatever the response would have been", async () => {
  const { request, samples } = setUp();
  request("GET", { path: "/" }, { left: true })();
  expect(await samples("http_requests_total")).toEqual(['http_requests_total{method="GET",route="/",status="499"} 1']);
});

test("failures are exported as 0 before the first one", async () => {
  const { request, text } = setUp();
  request("GET", { path: "/" })();
  for (const status of [500, 503])
    expect(await text()).toContain(`http_requests_total{method="GET",route="/",status="${status}"} 0`);
});

test("unknown methods share one name, and so do requests without a route", async () => {
  const { request, samples } = setUp();
  for (const method of ["BREW", "PROPFIND", "get"]) request(method, undefined, { status: 404 })();
  expect(await samples("http_requests_total")).toEqual([
    'http_requests_total{method="other",route="none",status="404"} 3',
  ]);
});

test("requests in flight have begun and not ended", async () => {
  const { request, samples } = setUp();
  const ends = [request("GET"), request("GET")];
  expect(await samples("http_requests_in_flight")).toEqual(["http_requests_in_flight 2"]);
  for (const end of ends) end();
  expect(await samples("http_requests_in_flight")).toEqual([]);
});
