/** Formats values as the words of an evidence. */
import { isAnswer } from "./readings.ts";
import type { Probe } from "./snapshot.ts";

export const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
export const ms = (seconds: number): string => `${(seconds * 1000).toFixed(0)} ms`;
export const megabytes = (bytes: number): string =>
  bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${(bytes / 2 ** 20).toFixed(0)} MiB`;
export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;
export function describeProbes(probes: Probe[]): string {
  if (probes.length === 0) return "not asked";
  const answers = probes.filter(isAnswer);
  if (answers.length > probes.length / 2)
    return `answered in ${ms(answers.toSorted((a, b) => a - b)[answers.length >> 1] ?? 0)}`;
  return String(probes.find((each) => !isAnswer(each)));
}
