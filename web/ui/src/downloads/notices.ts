/** Short messages at the edge of the page, also read out. */

import { SignedOut, Unreachable } from "./client";
import { signal } from "./signal";
import { text } from "./texts";

export type Notice = { id: number; words: string; bad: boolean };

const SECONDS = { good: 5, bad: 12 };

export const notices = signal<Notice[]>([]);
let last = 0;

export function tell(words: string, bad = false): void {
  if (!words) return;
  last += 1;
  const notice = { id: last, words, bad };
  notices.set([...notices.get().slice(-2), notice]);
  setTimeout(() => dismiss(notice.id), 1000 * (bad ? SECONDS.bad : SECONDS.good));
}

export function dismiss(id: number): void {
  notices.set(notices.get().filter((notice) => notice.id !== id));
}

/** What an error says to people; nothing where the page says it already. */
export function wordsOf(error: unknown): string {
  if (error instanceof SignedOut) return "";
  if (error instanceof Unreachable) return text.unreachable;
  return error instanceof Error && error.message ? error.message : text.loadFailed;
}
