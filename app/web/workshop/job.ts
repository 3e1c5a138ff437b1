// Shared by the views: the moves, the edit dialog, the payment and the plate of a job.
import { get, getAll, Refused } from "./api.ts";
import { h, icon } from "./dom.ts";
import { editDialog } from "./edit.ts";
import { showErrors } from "./errors.ts";
import type { FieldName } from "./fields.ts";
import { money, t } from "./language.ts";
import { toast } from "./notice.ts";
import type { Job, Line, Status, Values } from "./records.ts";
import { saveChanges } from "./save.ts";

export type Move = readonly [word: "start" | "drop" | "finish" | "reopen" | "reschedule", icon: string, to: Status];

/** The moves that one click can make from each status, the most frequent one first. */
export const MOVES: Record<Status, readonly Move[]> = {
  scheduled: [
    ["start", "play", "in_progress"],
    ["drop", "x", "cancelled"],
  ],
  in_progress: [
    ["finish", "check", "done"],
    ["drop", "x", "cancelled"],
  ],
  done: [["reopen", "undo", "in_progress"]],
  cancelled: [["reschedule", "undo", "scheduled"]],
};

/** Milliseconds by which a scheduled job is late, in whole minutes; 0 for all others. */
export const lateness = (job: Job): number =>
  job.status === "scheduled"
    ? Math.max(0, Math.floor((Date.now() - Date.parse(job.scheduled_at)) / 60_000) * 60_000)
    : 0;

/**
 * Moves a job to another status. `completedAt` is the time of completion; without it the API takes the present time.
 * Resolves with the job as the API has it, or undefined when the person cancelled a conflict. A concurrent change of other
 * fields is no conflict: only the status is sent.
 */
export const moveJob = (job: Job, status: Status, completedAt?: string | null): Promise<Job | undefined> =>
  change(job, completedAt ? { status, completed_at: completedAt } : { status });

/** Without a view's signal: a step that was made is saved, whatever view the person goes to. */
async function change(job: Job, changes: Values, seen: readonly string[] = []): Promise<Job | undefined> {
  try {
    return await saveChanges("service", job, changes, { oneClick: true, seen });
  } catch (error) {
    const refused = error instanceof Refused ? error : undefined;
    if (refused?.status === 404) toast(() => t("gone"));
    else toast(refused ? showErrors({}, refused) : () => t("notSaved"));
    return get<Job>(`/services/${job.id}`).catch(() => undefined);
  }
}

/** Reads a job and its lines. */
export const readJob = (id: string | undefined, signal: AbortSignal): Promise<[Job, Line[]]> =>
  Promise.all([
    get<Job>(`/services/${id}`, signal),
    getAll<Line>(`/services/${id}/lines?limit=100`, signal).then(({ items }) => items),
  ]);

/** Opens the edit dialog of a job. */
export const editJob = (job: Job, signal: AbortSignal) =>
  editDialog("service", job, { signal, name: ({ kind, vehicle }) => `${kind}, ${vehicle.plate}` });

/** The price of a job and whether it is paid, as a link to the job's page. */
export const priceLink = (job: Job) =>
  h(
    "a",
    { class: "price", href: `#/jobs/${job.id}`, "data-key": `job-${job.id}-page` },
    h("span", { class: "unseen" }, () => `${t("billOf", job.vehicle.plate)} `),
    () => money(job.price),
    job.paid_at && h("span", { class: "paid" }, () => t("paid")),
    icon("right"),
  );

/** The present time to the minute, as the form shows it. */
export const thisMinute = (): string => new Date(Math.floor(Date.now() / 60_000) * 60_000).toISOString();

/** Marks a job as paid at a time, unless it has another price by now, or as not paid. Resolves as {@link moveJob} does. */
export const payJob = (job: Job, at: string | null): Promise<Job | undefined> =>
  change(job, { paid_at: at }, at ? ["price"] : []);

/** Sets the time at which a job's customer is reminded, or none. Resolves as {@link moveJob} does. */
export const remindJob = (job: Job, at: string | null): Promise<Job | undefined> => change(job, { remind_at: at });

/** A value with its icon; a screen reader reads the field's name instead of the icon. */
export const entry = (name: FieldName, picture: string, value: HTMLElement) =>
  h(
    "div",
    { class: "entry" },
    icon(picture),
    h("span", { class: "unseen" }, () => t(`field.${name}`)),
    value,
  );

export const plate = (text: string) => h("span", { class: "plate" }, text);
