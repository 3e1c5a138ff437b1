import type { IncomingMessage } from "node:http";
import type { Request } from "express";

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Any value as text in HTML, in an attribute too. */
export const escapeHtml = (value: unknown): string => String(value).replace(/[&<>"']/g, (c) => ENTITIES[c] as string);

/** The languages of Halo's pages. */
export type Language = "en" | "id";

/** The language of a page for a client: English, unless the client prefers the other one. */
export const languageOf = (req: IncomingMessage): Language =>
  (req as Request).acceptsLanguages(["en", "id"]) === "id" ? "id" : "en";

/** Whether the client prefers a page to JSON, as browsers do. Every request of the application has Express' methods. */
export const wantsPage = (req: IncomingMessage): boolean =>
  req.headers.accept?.includes("text/html") === true && (req as Request).accepts(["json", "html"]) === "html";
