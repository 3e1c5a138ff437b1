/** Waits until `check` gives something truthy (an error counts as "not yet") and returns it. */
export async function until<T>(what: string, check: () => T | Promise<T>, withinMs = 30_000): Promise<NonNullable<T>> {
  const end = performance.now() + withinMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const seen = await check();
      if (seen) return seen as NonNullable<T>;
      last = seen;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Waited ${withinMs} ms for ${what}; last seen: ${last}`);
}
