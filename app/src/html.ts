import type { IncomingMessage } from "node:http";
import type { Request } from "express";

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Any value as text in HTML, in an attribute too. */
export const escapeHtml = (value: unknown): string => String(value).replace(/[&<>"']/g, (c) => ENTITIES[c] as string);

/** Whether the client prefers a page to JSON, as browsers do. Every request of the application has Express' methods. */
export const wantsPage = (req: IncomingMessage): boolean =>
  req.headers.accept?.includes("text/html") === true && (req as Request).accepts(["json", "html"]) === "html";
