/** Signed links differ each time they are asked for: the first one is kept, so that nothing is loaded twice. */

const KEPT = 20 * 60 * 1000; // ms; links last an hour at least
const links = new Map<string, { url: string; taken: number }>();

export function stableLink<Url extends string | null>(url: Url): Url {
  if (url === null) return url;
  const name = url.replace(/\/media\/[^/]+\//, "/media/");
  const known = links.get(name);
  if (known && Date.now() - known.taken < KEPT) return known.url as Url;
  links.set(name, { url, taken: Date.now() });
  return url;
}

/** The link did not work: the next one counts. */
export function forgetLink(url: string): void {
  links.delete(url.replace(/\/media\/[^/]+\//, "/media/"));
}

/** Save it as a file, instead of showing it. */
export const asDownload = (url: string) => `${url}${url.includes("?") ? "&" : "?"}download`;
