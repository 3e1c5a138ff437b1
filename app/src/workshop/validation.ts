import type { z } from "zod";

export type Code =
  | "required"
  | "too_long"
  | "too_short"
  | "format"
  | "range"
  | "unknown_field"
  | "not_found"
  | "type"
  | "taken";

/** An error of one field of a body, by its JSON pointer. */
export interface FieldError {
  readonly pointer: string;
  readonly code: Code;
  readonly detail: string;
}

/** Thrown to send an RFC 9457 problem. */
export class HttpProblem extends Error {
  override name = "HttpProblem";
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly extra: Record<string, unknown>;

  constructor(
    status: number,
    detail: string,
    { headers = {}, ...extra }: { headers?: Record<string, string>; [member: string]: unknown } = {},
  ) {
    super(detail);
    this.status = status;
    this.headers = headers;
    this.extra = extra;
  }
}

/** The most errors in one response: a small request must not cause a large response. */
const MAX_ERRORS = 50;
/** The most characters of an unknown field's or parameter's name in a response. */
const MAX_NAME = 100;

/** A problem's members for errors: the first {@link MAX_ERRORS}, and their total number. */
export const limitErrors = <T>(errors: T[]): { errors: T[]; error_count: number } => ({
  errors: errors.slice(0, MAX_ERRORS),
  error_count: errors.length,
});

/** A client's name for a field or parameter, cut at {@link MAX_NAME} characters; `\u2026` then marks the cut. */
export const shortened = (name: string): string => {
  const cut = name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}\u2026` : name;
  return cut.toWellFormed();
};

/** The problem for a body with invalid fields. */
export const invalidFields = (errors: FieldError[]): HttpProblem =>
  new HttpProblem(
    422,
    errors.length === 1 ? "One field is invalid." : `${errors.length} fields are invalid.`,
    limitErrors(errors),
  );

/**
 * Converts zod's issues to the API's errors, whose codes and texts do not change with zod.
 *
 * @param input the validated value
 * @param prefix the JSON pointer of the input
 */
export function fieldErrors(error: z.ZodError, input: unknown, prefix = ""): FieldError[] {
  const found = error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => ({
        pointer: pointerTo([...issue.path, shortened(key)], prefix),
        code: "unknown_field" as const,
        detail: "This field does not exist, or cannot be set.",
      }));
    return [{ pointer: pointerTo(issue.path, prefix), ...describeIssue(issue, issue.path.reduce(child, input)) }];
  });
  const first = new Map(found.map((entry) => [entry.pointer, entry]).reverse() as [string, FieldError][]);
  return [...first.values()].reverse();
}

/** The code and the text of one issue of zod; `value` is the part of the input that it is about. */
export function describeIssue(issue: z.core.$ZodIssue, value: unknown): { code: Code; detail: string } {
  if (value === undefined) return { code: "required", detail: "This field is missing." };
  switch (issue.code) {
    case "too_big":
      if (issue.origin === "string") return { code: "too_long", detail: `At most ${issue.maximum} characters.` };
      return { code: "range", detail: `At most ${issue.maximum}${issue.origin === "array" ? " values" : ""}.` };
    case "too_small":
      if (issue.origin !== "string") return { code: "range", detail: `At least ${issue.minimum}.` };
      return {
        code: "too_short",
        detail: `At least ${issue.minimum} ${issue.minimum === 1 ? "character" : "characters"}.`,
      };
    case "invalid_value":
      if (typeof value !== "string") return { code: "type", detail: "Expected a string." };
      return { code: "format", detail: `One of ${issue.values.join(", ")}.` };
    case "invalid_type":
      return {
        code: "type",
        detail: `Expected ${issue.expected === "int" ? "an integer" : `a value of type ${issue.expected}`}.`,
      };
    default:
      return { code: "format", detail: issue.message };
  }
}

const child = (value: unknown, key: PropertyKey): unknown =>
  typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;

const pointerTo = (path: PropertyKey[], prefix: string) =>
  prefix + path.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
