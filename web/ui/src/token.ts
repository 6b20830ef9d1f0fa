/** The access token: taken from the link that brought us here, kept until the tab is closed. */

const KEY = "token";

/** The token, or null. One in the address (#token=…) is kept, and removed from the address. */
export function takeToken(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    keepToken(given);
    history.replaceState(history.state, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(KEY);
}

/** Keep another token, or with null none. */
export function keepToken(token: string | null): void {
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
}

/** Calls back when the page is open and another link leads to it: the browser loads nothing then. */
export function onNewToken(callback: () => void): void {
  addEventListener("hashchange", () => {
    const before = sessionStorage.getItem(KEY);
    if (takeToken() !== before) callback();
  });
}
