const HUES = 12;

/**
 * The colour (0 to 11) of a backend, from its name: names that differ in one digit get distant colours. The server's page
 * and its script both use it, so a reload does not change a colour.
 */
export function hueOf(name: string): number {
  let sum = 0;
  for (let i = 0; i < name.length; i++) sum += name.charCodeAt(i);
  return (sum * 5) % HUES;
}
