/** What GraphiQL keeps: operations, layout, theme. It would keep the headers too, in its history. */

import type { Storage } from "@graphiql/toolkit";

const OURS = "graphiql:";

const keys = () => Object.keys(localStorage).filter((key) => key.startsWith(OURS));

/** `localStorage` without headers: a token is not to outlive its tab. */
export const storage: Storage = {
  getItem: (key) => localStorage.getItem(key),
  setItem: (key, value) => localStorage.setItem(key, withoutHeaders(value)),
  removeItem: (key) => localStorage.removeItem(key),
  clear: () => {
    for (const key of keys()) localStorage.removeItem(key);
  },
  get length() {
    return keys().length;
  },
};

function withoutHeaders(value: string): string {
  if (!value.includes('"headers"')) return value;
  try {
    return JSON.stringify(JSON.parse(value, (key, found) => (key === "headers" ? null : found)));
  } catch {
    return value; // not a value with headers, but an operation that speaks of them
  }
}
