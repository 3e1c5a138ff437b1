import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { openApi } from "../../../src/workshop/openapi.ts";
import { nested } from "../../../src/workshop/routes.ts";

const { components, paths } = openApi(nested, "test");

test("each operation of the document has the problems that nginx itself sends", () => {
  const template = readFileSync(new URL("../../../../nginx/partials/error_pages.conf.j2", import.meta.url), "utf8");
  const body = template.match(/return 200 '(\{.*\})\\n'/)?.[1] ?? "";
  const problem = JSON.parse(body.replace("$error_title", "Too Many Requests").replace("$status", "429"));
  expect(z.fromJSONSchema({ ...components.schemas.Problem }).parse(problem)).toEqual(problem);
  for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods)))
    for (const status of [429, 503]) expect(operation.responses[status]?.headers).toHaveProperty("Retry-After");
});
