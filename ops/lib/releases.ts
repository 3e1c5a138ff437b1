/** Archives of one app that the controller keeps, as many as a host; test/lint/copies.test.ts compares them. */
export const kept = 5;

/**
 * The time in a new release's id, later than that of the newest one known: ids are put in order by their names, on the
 * hosts as well, and a clock may have been ahead once. `ahead` says so where that was the case.
 *
 * @param newest an id, "" for none
 */
export function nextRelease(now: Date, newest: string): { time: string; ahead?: string } {
  const format = (time: Date) => time.toISOString().replace(/[-:]|\.\d+/g, "");
  const [, year, month, day, hour, minute, second] = newest.match(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/) ?? [];
  const before = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (!(before >= Math.floor(now.getTime() / 1000) * 1000)) return { time: format(now) };
  const time = format(new Date(before + 1000));
  return before - now.getTime() < 60_000
    ? { time }
    : {
        time,
        ahead: `release ${newest} is of a time to come (the clock of a controller was ahead); this one is named ${time}, to be newer`,
      };
}
