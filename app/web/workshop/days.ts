// Days and weeks in the person's time zone, the addresses of their views, and the way from one to the next.
import { h, icon } from "./dom.ts";
import { t } from "./language.ts";
import type { Shown } from "./view.ts";

const pad = (n: number) => String(n).padStart(2, "0");

export const midnight = (at: Date): Date => new Date(at.getFullYear(), at.getMonth(), at.getDate());
export const dayAfter = (at: Date, days: number): Date =>
  new Date(at.getFullYear(), at.getMonth(), at.getDate() + days);
/** The Monday of a day's week, at midnight. */
export const monday = (at: Date): Date => dayAfter(at, -((at.getDay() + 6) % 7));
/** A day as 2026-11-21. */
export const isoDay = (at: Date): string => `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
/** The hour of a day that is chosen without a time. */
export const OPENING_HOUR = 9;
/** The midnight of a day such as 2026-11-21; undefined for a day that does not exist, and outside of the years of the API's times. */
export function dayOf(text: string): Date | undefined {
  const at = new Date(`${text}T00:00`);
  const year = at.getFullYear();
  return year > 1900 && year < 2099 && isoDay(at) === text ? at : undefined;
}
const isSame = (a: Date, b: Date) => a.getTime() === b.getTime();

/** The address of a day's board: #/today for today. */
export const dayHash = (at: Date): string =>
  isSame(midnight(at), midnight(new Date())) ? "#/today" : `#/day/${isoDay(at)}`;
/** The address of a day's week: #/week for this week. */
export const weekHash = (at: Date): string =>
  isSame(monday(at), monday(new Date())) ? "#/week" : `#/week/${isoDay(at)}`;

/** The distance of the local time from UTC on a day, such as +07:00. */
export function utcOffset(at: Date): string {
  const minutes = -at.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

/** The buttons to the days or weeks before and after, and the same as keys; `go` gets -1 or 1. */
export function neighbours(
  before: "previousDay" | "previousWeek",
  after: "nextDay" | "nextWeek",
  go: (steps: -1 | 1) => void,
): { buttons: HTMLElement[]; keys: NonNullable<Shown["keys"]> } {
  const sides = [
    [before, "ArrowLeft", "left", -1],
    [after, "ArrowRight", "right", 1],
  ] as const;
  return {
    buttons: sides.map(([name, key, picture, steps]) =>
      h(
        "button",
        {
          type: "button",
          class: "round",
          "data-key": name,
          "aria-label": () => t(name),
          "aria-keyshortcuts": key,
          onclick: () => go(steps),
        },
        icon(picture),
      ),
    ),
    keys: Object.fromEntries(sides.map(([, key, , steps]) => [key, () => go(steps)])),
  };
}
