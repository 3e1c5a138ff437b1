/**
 * A stored setting of a page, or null. The browser can refuse storage: then no setting is kept.
 * The prefix is from the time when the workshop alone had settings.
 */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(`workshop.${key}`);
  } catch {
    return null;
  }
}

/** Stores a setting for the next visit of the page. */
export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`workshop.${key}`, value);
  } catch {
    // The page works without storage.
  }
}
