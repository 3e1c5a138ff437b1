/** Seconds of "90", "90s", "5m", "1h" or "2d"; NaN for anything else. */
export function parseDuration(text: string): number {
  const [, value, unit] = text.match(/^(\d{1,6}(?:\.\d+)?)([smhd]?)$/) ?? [];
  return Number(value) * ({ "": 1, s: 1, m: 60, h: 3600, d: 86_400 }[unit ?? "?"] ?? Number.NaN);
}
