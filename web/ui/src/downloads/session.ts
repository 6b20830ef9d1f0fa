/** Who is signed in: a token in this tab's storage, and why there is none. */

import { keepToken, takeToken } from "../token";
import { forgetDrafts } from "./draft";
import { signal } from "./signal";

export type Session = { token: string } | { token: null; why: "none" | "expired" | "left" };

const LAST_USER = "last-user";

export const session = signal<Session>({ token: null, why: "none" });

/** Take up the token of the link or of this tab. A link may also come to a page that is open. */
export function beginSession(): void {
  const token = takeToken();
  if (token) enter(token);
}

/** Sign in by a token; what another user has typed in this tab is forgotten. */
export function enter(token: string): void {
  const user = userOf(token);
  if (sessionStorage.getItem(LAST_USER) !== user) forgetDrafts();
  sessionStorage.setItem(LAST_USER, user);
  keepToken(token);
  session.set({ token });
}

/** Sign out. When the token has expired, drafts stay. `token`: only if it is the present one. */
export function endSession(why: "expired" | "left", token = currentToken()): void {
  if (token !== currentToken()) return;
  keepToken(null);
  if (why === "left") forgetDrafts();
  session.set({ token: null, why });
}

export function currentToken(): string | null {
  return session.get().token;
}

/** Whether this can be a token: three parts in base64url, or a header's value with one. */
export function readToken(text: string): string | null {
  const token = text.trim().replace(/^Bearer\s+/i, "");
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token) ? token : null;
}

function userOf(token: string): string {
  try {
    const claims = JSON.parse(atob(token.split(".")[1]?.replace(/-/g, "+").replace(/_/g, "/") ?? ""));
    return String(claims.user_id ?? claims.sub);
  } catch {
    return "";
  }
}
