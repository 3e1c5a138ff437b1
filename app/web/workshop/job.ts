// Shared by the board and a customer's history: the moves, the edit dialog and the plate of a job.
import { get, Refused } from "./api.ts";
import { h } from "./dom.ts";
import { editDialog } from "./edit.ts";
import { t } from "./language.ts";
import { toast } from "./notice.ts";
import type { Job, Status } from "./records.ts";
import { saveChanges } from "./save.ts";

type Move = readonly [word: "start" | "drop" | "finish" | "reopen" | "reschedule", icon: string, to: Status];

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
export async function moveJob(job: Job, status: Status, completedAt?: string | null): Promise<Job | undefined> {
  try {
    const changes = completedAt ? { status, completed_at: completedAt } : { status };
    return await saveChanges("service", job, changes, { oneClick: true });
  } catch (error) {
    const refused = error instanceof Refused ? error : undefined;
    if (refused?.status === 404) toast(() => t("gone"));
    else toast(() => refused?.problem.detail ?? t("notSaved"));
    return get<Job>(`/services/${job.id}`).catch(() => undefined);
  }
}

/** Opens the edit dialog of a job. */
export const editJob = (job: Job) => editDialog("service", job, () => `${job.kind}, ${job.vehicle.plate}`);

export const plate = (text: string) => h("span", { class: "plate" }, text);
