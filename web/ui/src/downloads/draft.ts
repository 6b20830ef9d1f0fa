/** What somebody has typed: kept in this tab, so that neither an expired token nor a reload loses it. */

import { useState } from "react";

const PREFIX = "draft:";

/** Like useState, for what must outlive the component. */
export function useDraft<Value>(name: string, initial: Value): [Value, (value: Value) => void] {
  const [value, setValue] = useState<Value>(() => read(PREFIX + name) ?? initial);
  const keep = (next: Value) => {
    setValue(next);
    sessionStorage.setItem(PREFIX + name, JSON.stringify(next));
  };
  return [value, keep];
}

export function forgetDraft(name: string): void {
  sessionStorage.removeItem(PREFIX + name);
}

export function forgetDrafts(): void {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
}

function read<Value>(key: string): Value | null {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}
