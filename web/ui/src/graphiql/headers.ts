/** The headers editor's text and the token. */

import { keepToken, takeToken } from "../token";

/** What the headers editor begins with. */
export function headersWithToken(): string {
  const token = takeToken();
  return token ? JSON.stringify({ Authorization: `Bearer ${token}` }, null, 2) : "";
}

/** A token that was typed into the headers editor outlives a reload, as one from a link does. */
export function keepTokenOf(headers: string): void {
  const [, token] = /"authorization"\s*:\s*"bearer ([^"\s]+)"/i.exec(headers) ?? [];
  if (token) keepToken(token);
}

/** The headers of a request: an entry of the history brings none, so the token is put back. */
export function authorized(headers: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const token = takeToken();
  const has = Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
  return token && !has ? { ...headers, Authorization: `Bearer ${token}` } : { ...headers };
}
