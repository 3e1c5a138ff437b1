// The place in a list from which a person went on, kept with the page's entry in the browser's history for its Back.

/** Rows of the longest answer of the API. */
const MOST = 100;

/** How many rows the list had, and the key of the link that was opened. */
type Place = { rows: number; opened?: string };

/** The place that was kept for the page that is shown now; 0 rows where it is new. Read before the page's address is changed. */
export const keptPlace = (): Place => ({ rows: 0, ...history.state });

/** The largest of these numbers of rows, or as many as one answer brings. */
export const rowsToRead = (...counts: number[]): number => Math.min(MOST, Math.max(...counts));

/** Keeps the place whenever a link of the list is opened. */
export function keepPlace(list: HTMLElement): void {
  list.addEventListener("click", ({ target }) => {
    const opened = (target as Element).closest("a")?.dataset.key;
    if (opened) history.replaceState({ rows: list.children.length, opened } satisfies Place, "");
  });
}

/** Moves the focus, and with it the window, to the link that was opened. */
export const backTo = (list: HTMLElement, { opened }: Place): void =>
  [...list.querySelectorAll("a")].find((each) => each.dataset.key === opened)?.focus();
