import { CONNECTED, DISCONNECTED, INFO, MESSAGE } from "./contract.ts";

// Every text of the counter's page, by key. A text with variable parts is a function of them; numbers are formatted already.
const id = {
  answeredTitle: (backend: string) => `${backend} menjawab · Halo`,
  failedTitle: "Tanpa nomor · Halo",
  allSites: "Semua situs",
  language: "Bahasa",
  message: MESSAGE,
  info: INFO,
  answeredBy: "Dijawab oleh",
  visit: "Kunjungan",
  database: "Basis data",
  connected: CONNECTED,
  disconnected: DISCONNECTED,
  unknown: "Tidak diketahui",
  nobody: "Tidak ada",
  noNumber: (problem: string) => `Kunjungan ini tanpa nomor (${problem}). Coba lagi sebentar lagi.`,
  late: "terlambat",
  silent: "tanpa jawaban",
  refresh: "Muat ulang",
  waiting: "Menunggu…",
  auto: "Muat ulang sendiri tiap 2,5 detik",
  last: "Jawaban terakhir, terbaru di depan",
  way: "Jalan setiap permintaan",
  you: "Anda",
  drawing: (balancer: string, backends: string) => `Permintaan melewati ${balancer} ke backend. ${backends}`,
  answers: "menjawab",
  stopped: "berhenti",
  drained: "istirahat",
  share: (answers: string, all: string) => `${answers} dari ${all}`,
  allAnswer: "Semua backend menjawab, bergiliran.",
  unnoticed: (backends: string, answers: string) =>
    `${backends} berhenti; tidak ada yang merasakannya: ${answers} jawaban sejak itu`,
  noticed: (backends: string, answers: string, failed: string) =>
    `${backends} berhenti: ${answers} jawaban sejak itu, ${failed} di halaman ini gagal`,
  resting: (backends: string) => `${backends} istirahat: tidak mendapat giliran`,
  redisSilent: "Redis tidak menjawab: kunjungan tidak mendapat nomor",
  noneAnswers: "Tidak ada backend yang menjawab; nginx sendiri menjawab 503.",
  balancerSilent: (balancer: string) => `${balancer} tidak menjawab; tidak ada jalan lain ke backend.`,
  answered: (backend: string, visit: string) => `${backend} menjawab, kunjungan ${visit}.`,
  failed: (problem: string) => `Tanpa nomor: ${problem}.`,
};

/** The keys of the texts, each with its kind. */
export type Words = typeof id;
/** The keys of texts without variable parts. */
export type PlainKey = { [Key in keyof Words]: Words[Key] extends string ? Key : never }[keyof Words];

const plural = (answers: string) => (answers === "1" ? "1 answer" : `${answers} answers`);

const en: Words = {
  answeredTitle: (backend) => `${backend} answered · Halo`,
  failedTitle: "No number · Halo",
  allSites: "All sites",
  language: "Language",
  message: "Hello from the backend API!",
  info: "Refresh this page to see container_id change (load balancing)",
  answeredBy: "Answered by",
  visit: "Visit",
  database: "Database",
  connected: "Connected",
  disconnected: "Disconnected",
  unknown: "Unknown",
  nobody: "Nobody",
  noNumber: (problem) => `This visit has no number (${problem}). Try again in a moment.`,
  late: "too late",
  silent: "no answer",
  refresh: "Refresh",
  waiting: "Waiting…",
  auto: "Refresh by itself every 2.5 seconds",
  last: "Last answers, newest first",
  way: "The way of each request",
  you: "You",
  drawing: (balancer, backends) => `Requests go through ${balancer} to the backends. ${backends}`,
  answers: "answers",
  stopped: "stopped",
  drained: "drained",
  share: (answers, all) => `${answers} of ${all}`,
  allAnswer: "All backends answer, each in its turn.",
  unnoticed: (backends, answers) => `${backends} stopped; nobody noticed: ${plural(answers)} since`,
  noticed: (backends, answers, failed) =>
    `${backends} stopped: ${plural(answers)} since, ${failed} failed on this page`,
  resting: (backends) => `${backends} drained: no request goes there`,
  redisSilent: "Redis does not answer: visits get no number",
  noneAnswers: "No backend answers; nginx itself answers 503.",
  balancerSilent: (balancer) => `${balancer} does not answer; there is no other way to the backends.`,
  answered: (backend, visit) => `${backend} answered, visit ${visit}.`,
  failed: (problem) => `No number: ${problem}.`,
};

export const words = { id, en };

/** The languages of the page, each with the locale of its numbers; the server renders the first. */
export const LOCALES = { id: "id-ID", en: "en-GB" };
