import { z } from "zod";
import { DEFAULT_LIMIT, listParameters } from "./lists.ts";
import { type Resource, resources } from "./resources.ts";
import * as schema from "./schema.ts";

export type Json = Record<string, unknown>;

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Json;
}

/** A list inside another resource: the parent, the child and the child's filter that names the parent. */
export type Nested = readonly [parent: Resource, child: Resource, filter: string];

export interface Operation {
  readonly summary: string;
  readonly parameters: Parameter[];
  readonly requestBody?: Json;
  readonly responses: Record<string, { description: string; headers?: Json; content?: Json }>;
}

const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    request_id: z.string().optional().meta({ description: "Also in X-Request-Id." }),
    errors: z
      .array(
        z.object({
          pointer: z.string().optional().meta({ description: "The field in the body, as a JSON pointer." }),
          parameter: z.string().optional().meta({ description: "The parameter in the query." }),
          code: z.string().meta({
            description:
              "required, type, format, range, too_short, too_long, unknown_field, not_found, taken; in a query: format, repeated, unknown_parameter.",
          }),
          detail: z.string(),
        }),
      )
      .optional(),
    error_count: z.int().optional().meta({ description: "How many errors there are; the first 50 are named." }),
    references: z
      .record(z.string(), z.int())
      .optional()
      .meta({ description: "How many rows of what refer to the one to be deleted." }),
  })
  .meta({
    description:
      "RFC 9457; what is wrong, for programs and for people. The balancer's own has no detail or request_id.",
  });

const about: Record<number, string> = {
  400: "The request is malformed.",
  404: "There is no such thing.",
  409: "It collides with what is there.",
  412: "It has another version now, which the ETag names.",
  413: "The body is larger than 64 KiB.",
  415: "The body is not application/json in UTF-8.",
  422: "Fields are wrong; each is named.",
  428: "If-Match is missing.",
  429: "Too many requests from this address.",
  503: "The service or its database cannot be reached now.",
};

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const json = (name: string) => ({ content: { "application/json": { schema: ref(name) } } });
const header = (description: string) => ({ description, schema: { type: "string" } });
const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

function plain(type: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(type, { io }) as Json;
  return rest;
}

const problems = (...statuses: number[]) =>
  Object.fromEntries(
    [...statuses, 429, 503].map((status) => [
      status,
      {
        description: about[status] as string,
        ...([429, 503].includes(status) && { headers: { "Retry-After": header("Seconds.") } }),
        ...(status === 412 && { headers: { ETag: header("The version that it has now.") } }),
        content: { "application/problem+json": { schema: ref("Problem") } },
      },
    ]),
  );

const idParameter = (resource: Resource): Parameter => ({
  name: "id",
  in: "path",
  required: true,
  description: `Which ${resource.one}.`,
  schema: plain(schema.query.id, "output"),
});
const IF_MATCH: Parameter = {
  name: "If-Match",
  in: "header",
  required: true,
  description: 'The ETag of the version that is to be changed, or "*" for any.',
  schema: { type: "string" },
};
const IF_NONE_MATCH: Parameter = {
  name: "If-None-Match",
  in: "header",
  description: "The ETag that is known already.",
  schema: { type: "string" },
};
const KEY: Parameter = {
  name: "Idempotency-Key",
  in: "header",
  description: "The same request with the same key makes one row within 24 hours, and gets the same answer.",
  schema: { type: "string", minLength: 1, maxLength: 200, pattern: "^[ -~]*$" },
};

function queryParameters(resource: Resource, without?: string): Parameter[] {
  const more: Record<string, { description?: string | undefined; default?: unknown }> = {
    limit: { description: "Rows in a page.", default: DEFAULT_LIMIT },
    sort: { description: "Field to sort by; with - the other way round.", default: resource.defaultSort },
    after: { description: "The cursor `next` of the page before, in the same order." },
    q: {
      description: `${resource.finds} Without three letters or digits in a row it is found at the beginning of a word; without any it finds nothing.`,
    },
  };
  return Object.entries(listParameters(resource))
    .filter(([name]) => name !== without)
    .map(([name, type]) => {
      const { description, ...rest } = more[name] ?? { description: resource.filters[name]?.about };
      const one = { ...plain(type, "output"), ...rest };
      const repeatable = resource.filters[name]?.repeatable;
      return {
        name,
        in: "query",
        ...(description && { description }),
        schema: repeatable ? { type: "array", items: one, maxItems: 10 } : one,
      };
    });
}

function operations(resource: Resource): Record<string, Record<string, Operation>> {
  const { name, one } = resource;
  const type = capital(one);
  const id = idParameter(resource);
  const ETag = header("The version, in quotes.");
  const shown = (description: string) => ({ description, headers: { ETag }, ...json(type) });
  const change = (summary: string, body: string) => ({
    summary,
    parameters: [id, IF_MATCH],
    requestBody: { required: true, ...json(body) },
    responses: { 200: shown("As it is now."), ...problems(400, 404, 409, 412, 413, 415, 422, 428) },
  });
  return {
    [`/${name}`]: {
      get: list(`List ${name}`, resource),
      post: {
        summary: `Make a ${one}`,
        parameters: [KEY],
        requestBody: { required: true, ...json(`${type}Input`) },
        responses: {
          201: { ...shown("Made."), headers: { ETag, ...madeHeaders } },
          ...problems(400, 409, 413, 415, 422),
        },
      },
    },
    [`/${name}/{id}`]: {
      get: {
        summary: `Read a ${one}`,
        parameters: resource.embeds ? [id] : [id, IF_NONE_MATCH],
        responses: {
          200: shown("There it is."),
          ...(!resource.embeds && { 304: { description: "It has this version." } }),
          ...problems(400, 404),
        },
      },
      put: change(`Replace a ${one}`, `${type}Input`),
      patch: change(`Change fields of a ${one}`, `${type}Patch`),
      delete: {
        summary: `Delete a ${one}`,
        parameters: [id, IF_MATCH],
        responses: { 204: { description: "Gone." }, ...problems(400, 404, 409, 412, 428) },
      },
    },
  };
}

const madeHeaders = {
  Location: header("Where it is now."),
  "Idempotency-Replayed": header('"true" where this is the answer of an earlier request.'),
};

const list = (summary: string, resource: Resource, parent?: Resource, filter?: string): Operation => ({
  summary,
  parameters: [...(parent ? [idParameter(parent)] : []), ...queryParameters(resource, filter)],
  responses: {
    200: {
      description: "One page.",
      headers: { Link: header('rel="next" where there is one, and rel="first".') },
      ...json(`${capital(resource.one)}Page`),
    },
    ...problems(...(parent ? [400, 404] : [400])),
  },
});

const pageOf = (resource: Resource): Json => ({
  type: "object",
  properties: {
    items: { type: "array", items: ref(capital(resource.one)) },
    next: { type: ["string", "null"], description: "The cursor of the next page, if there is one." },
  },
  required: ["items", "next"],
  additionalProperties: false,
});

/** The OpenAPI 3.1 document of the API, made from the schemas that check it; `nested` is what routes.ts serves. */
export function openApi(nested: readonly Nested[], release: string) {
  const all = Object.values(resources);
  const schemas: Record<string, Json> = {
    ...Object.fromEntries(
      all.flatMap((resource) => [
        [capital(resource.one), plain(resource.output, "output")],
        [`${capital(resource.one)}Input`, plain(resource.input, "input")],
        [`${capital(resource.one)}Patch`, plain(resource.patch, "input")],
        [`${capital(resource.one)}Page`, pageOf(resource)],
      ]),
    ),
    Intake: plain(schema.Intake, "input"),
    IntakeResult: plain(schema.IntakeResult, "output"),
    Problem: plain(Problem, "output"),
  };
  const paths: Record<string, Record<string, Operation>> = {
    ...Object.assign({}, ...all.map(operations)),
    ...Object.fromEntries(
      nested.map(([parent, child, filter]) => [
        `/${parent.name}/{id}/${child.name}`,
        { get: list(`List the ${child.name} of a ${parent.one}`, child, parent, filter) },
      ]),
    ),
    "/intake": {
      post: {
        summary: "Make customer, vehicle and job at once, or a job for those that are there",
        parameters: [KEY],
        requestBody: { required: true, ...json("Intake") },
        responses: {
          201: { description: "Made, all of it.", headers: madeHeaders, ...json("IntakeResult") },
          ...problems(400, 409, 413, 415, 422),
        },
      },
    },
  };
  return {
    openapi: "3.1.0",
    info: {
      title: "Halo workshop",
      version: release,
      description: "Customers, vehicles and services of a car workshop.",
    },
    servers: [{ url: "/api" }],
    paths,
    components: { schemas },
  };
}
