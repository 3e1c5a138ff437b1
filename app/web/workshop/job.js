// A job as it is shown and moved, on the board and in a customer's history.
import { get } from "./api.js";
import { h } from "./dom.js";
import { editDialog, saveChanges } from "./form.js";
import { t } from "./language.js";
import { toast } from "./notice.js";

/** What one click does to a job in each status: [the word, its icon, the status that follows], the likeliest first. */
export const MOVES = {
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

/** Milliseconds by which a scheduled job is late; 0 when it is not. */
export const lateness = (job) =>
  job.status === "scheduled"
    ? Math.max(0, Math.floor((Date.now() - Date.parse(job.scheduled_at)) / 60_000) * 60_000)
    : 0;

/**
 * Moves a job to another status; completedAt is when it was done, if that is not now. Resolves with the job as it is now,
 * or undefined when the person stepped back from a conflict. A change of other fields by somebody else is no conflict:
 * only the status is sent, on top of it.
 */
export async function moveJob(job, status, completedAt) {
  try {
    const changes = completedAt ? { status, completed_at: completedAt } : { status };
    return await saveChanges("service", job, changes, { oneClick: true });
  } catch (error) {
    if (error.status === 404) toast(() => t("gone"));
    else toast(() => error.problem?.detail ?? t("notSaved"));
    return get(`/services/${job.id}`).catch(() => undefined);
  }
}

/** Opens a job's dialog with what the API has now. */
export const editJob = (job) => editDialog("service", job, () => `${job.kind}, ${job.vehicle.plate}`);

export const plate = (text) => h("span", { class: "plate" }, text);
