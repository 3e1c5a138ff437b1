// A view fills <main> for one address; workshop.ts chooses it.

export type Context = {
  /** The day of a board or of a week, or the id of a customer or a job, from the address. */
  date?: string;
  id?: string;
  query: URLSearchParams;
  /** Aborts when another view is shown. */
  signal: AbortSignal;
  /** Shows an error in place of the view. */
  fail: (error: unknown) => void;
};

/** Of the view that is shown: the document's title, its own keys, and the input that the key / selects. */
export type Shown = {
  title?: () => string;
  keys?: Record<string, () => void>;
  focus?: HTMLInputElement;
};

export type View = (main: HTMLElement, context: Context) => Promise<Shown> | Shown;
