import { z } from "zod";
import { DEFAULT_LIMIT, listParameters, MAX_VALUES } from "./lists.ts";
import { changes, type Listed, type Resource, resources } from "./resources.ts";
import { revenueParameters } from "./revenue.ts";
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
export type Nested = readonly [parent: Resource, child: Listed, filter: string];

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
              "required, type, format, range, too_short, too_long, unknown_field, not_found, taken, paid; in a query also repeated and unknown_parameter.",
          }),
          detail: z.string(),
        }),
      )
      .optional(),
    error_count: z.int().optional().meta({ description: "The number of errors; `errors` has the first 50." }),
    references: z
      .record(z.string(), z.int())
      .optional()
      .meta({ description: "By resource, the number of rows that refer to the row to delete." }),
  })
  .meta({
    description: "An RFC 9457 problem. A problem of the load balancer has no detail and no request_id.",
  });

const about: Record<number, string> = {
  400: "The request is malformed.",
  404: "The resource does not exist.",
  409: "The request conflicts with existing rows, or the job is paid.",
  412: "The row has another version now; the ETag has it.",
  413: "The body is larger than 64 KiB.",
  415: "The body is not application/json in UTF-8.",
  422: "Fields are invalid; `errors` names each.",
  428: "If-Match is missing.",
  429: "Too many requests from this address.",
  503: "The service or its database is unavailable.",
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
        ...(status === 412 && { headers: { ETag: header("The present version.") } }),
        content: { "application/problem+json": { schema: ref("Problem") } },
      },
    ]),
  );

const idParameter = (resource: Resource): Parameter => ({
  name: "id",
  in: "path",
  required: true,
  description: `The id of the ${resource.singular}.`,
  schema: plain(schema.query.id, "output"),
});
const IF_MATCH: Parameter = {
  name: "If-Match",
  in: "header",
  required: true,
  description: 'The ETag of the version to change, or "*" for any version.',
  schema: { type: "string" },
};
const IF_NONE_MATCH: Parameter = {
  name: "If-None-Match",
  in: "header",
  description: "The ETag of the version that the client has.",
  schema: { type: "string" },
};
const KEY: Parameter = {
  name: "Idempotency-Key",
  in: "header",
  description:
    "Makes the request idempotent: within 24 hours, the same request with the same key creates no second row and gets the same response.",
  schema: { type: "string", minLength: 1, maxLength: 200, pattern: "^[ -~]*$" },
};

function queryParameters(resource: Listed, without?: string): Parameter[] {
  const more: Record<string, { description?: string | undefined; default?: unknown }> = {
    limit: { description: "Rows per page.", default: DEFAULT_LIMIT },
    sort: {
      description: "The field to sort by; a leading - sorts in descending order.",
      default: resource.defaultSort,
    },
    after: { description: "The cursor `next` of the previous page, in the same order." },
    q: {
      description: `A row matches that has every word of the text, in any order. ${resource.searchHelp} A plate can be spaced in any way, and a text such as IS 350 is a plate or a model. A word without three letters or digits in a row has to be the beginning of one; a text without any letter or digit matches no row. If no row matches, words of 4 to 15 letters match with one letter wrong, missing, too many, or exchanged with the next.`,
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
        schema: repeatable ? { type: "array", items: one, maxItems: MAX_VALUES } : one,
      };
    });
}

function operations(resource: Resource): Record<string, Record<string, Operation>> {
  const { name, singular } = resource;
  const type = capital(singular);
  const id = idParameter(resource);
  const ETag = header("The version, in quotes.");
  const shown = (description: string) => ({ description, headers: { ETag }, ...json(type) });
  const change = (summary: string, body: string) => ({
    summary,
    parameters: [id, IF_MATCH],
    requestBody: { required: true, ...json(body) },
    responses: { 200: shown("The row after the change."), ...problems(400, 404, 409, 412, 413, 415, 422, 428) },
  });
  return {
    [`/${name}`]: {
      get: list(`List ${name}`, resource),
      post: {
        summary: `Create a ${singular}`,
        parameters: [KEY],
        requestBody: { required: true, ...json(`${type}Input`) },
        responses: {
          201: { ...shown("Created."), headers: { ETag, ...createdHeaders } },
          ...problems(400, 409, 413, 415, 422),
        },
      },
    },
    [`/${name}/{id}`]: {
      get: {
        summary: `Read a ${singular}`,
        parameters: resource.embeds ? [id] : [id, IF_NONE_MATCH],
        responses: {
          200: shown("The row."),
          ...(!resource.embeds && { 304: { description: "The client has the present version." } }),
          ...problems(400, 404),
        },
      },
      put: change(`Replace a ${singular}`, `${type}${resource.replacement ? "Replacement" : "Input"}`),
      patch: change(`Change fields of a ${singular}`, `${type}Patch`),
      delete: {
        summary: `Delete a ${singular}`,
        parameters: [id, IF_MATCH],
        responses: { 204: { description: "Deleted." }, ...problems(400, 404, 409, 412, 428) },
      },
    },
  };
}

const createdHeaders = {
  Location: header("The address of the new row."),
  "Idempotency-Replayed": header('"true" if this is the stored response of an earlier request.'),
};

const list = (summary: string, resource: Listed, parent?: Resource, filter?: string): Operation => ({
  summary,
  parameters: [...(parent ? [idParameter(parent)] : []), ...queryParameters(resource, filter)],
  responses: {
    200: {
      description: "One page.",
      headers: {
        Link: header('rel="first", and rel="next" if a next page exists.'),
        "X-Cache": header("hit: from the service's memory; miss or off: from the database."),
      },
      ...json(`${capital(resource.singular)}Page`),
    },
    ...problems(...(parent ? [400, 404] : [400])),
  },
});

const pageOf = (resource: Listed): Json => ({
  type: "object",
  properties: {
    items: { type: "array", items: ref(capital(resource.singular)) },
    next: { type: ["string", "null"], description: "The cursor of the next page; null on the last page." },
    ...(resource.similar && {
      similar: { type: "boolean", description: "True if no row has the words of `q`: these are similar ones." },
    }),
  },
  required: ["items", "next"],
  additionalProperties: false,
});

/** The OpenAPI 3.1 document of the API, from the schemas that validate its requests; `nested` has the lists of routes.ts. */
export function openApi(nested: readonly Nested[], release: string) {
  const all = Object.values(resources);
  const schemas: Record<string, Json> = {
    ...Object.fromEntries(
      all.flatMap((resource) => [
        [capital(resource.singular), plain(resource.output, "output")],
        [`${capital(resource.singular)}Input`, plain(resource.input, "input")],
        ...(resource.replacement
          ? [[`${capital(resource.singular)}Replacement`, plain(resource.replacement, "input")]]
          : []),
        [`${capital(resource.singular)}Patch`, plain(resource.patch, "input")],
        [`${capital(resource.singular)}Page`, pageOf(resource)],
      ]),
    ),
    Change: plain(schema.Change, "output"),
    ChangePage: pageOf(changes),
    Intake: plain(schema.Intake, "input"),
    IntakeResult: plain(schema.IntakeResult, "output"),
    Revenue: plain(schema.Revenue, "output"),
    Problem: plain(Problem, "output"),
  };
  const paths: Record<string, Record<string, Operation>> = {
    ...Object.assign({}, ...all.map(operations)),
    ...Object.fromEntries(
      nested.map(([parent, child, filter]) => [
        `/${parent.name}/{id}/${child.name}`,
        { get: list(`List the ${child.name} of a ${parent.singular}`, child, parent, filter) },
      ]),
    ),
    "/intake": {
      post: {
        summary: "Create customer, vehicle and job at once, or a job for an existing customer or vehicle",
        parameters: [KEY],
        requestBody: { required: true, ...json("Intake") },
        responses: {
          201: { description: "Created: customer, vehicle and job.", headers: createdHeaders, ...json("IntakeResult") },
          ...problems(400, 409, 413, 415, 422),
        },
      },
    },
    "/revenue": {
      get: {
        summary: "Read the revenue of each day, and the sum that is not paid",
        parameters: Object.entries(revenueParameters).map(([name, type]) => {
          const { description, ...rest } = plain(type, "output");
          return { name, in: "query", description: String(description), schema: rest };
        }),
        responses: { 200: { description: "The sums.", ...json("Revenue") }, ...problems(400) },
      },
    },
  };
  return {
    openapi: "3.1.0",
    info: {
      title: "Halo workshop",
      version: release,
      description:
        "Customers, vehicles and services of a car workshop, and the parts and labour of each service. If the workshop has a login, its site answers 401 without one, and any other site 403.",
    },
    servers: [{ url: "/api" }],
    paths,
    components: { schemas },
  };
}
