/** What a task's row means on the page. */

import type { ResourceType, TaskFragment } from "../gql/graphql";
import { text } from "./texts";

export type Task = TaskFragment;
export type Look = "waiting" | "running" | "paused" | "done" | "partial" | "failed" | "quiet";
export type Move = "start" | "pause" | "resume" | "cancel" | "finish" | "retry" | "delete";

/** Colour and words of its state. */
export function lookOf(task: Task): { look: Look; words: string } {
  switch (task.status) {
    case "PENDING":
      return task.paused ? { look: "paused", words: text.paused } : { look: "quiet", words: text.notStarted };
    case "PROCESSING":
      if (!task.startedAt) return { look: "waiting", words: text.waiting };
      return { look: "running", words: task.isLive ? text.recording : text.downloading };
    case "COMPLETED":
      return { look: "done", words: text.completed };
    case "PARTIAL_COMPLETED":
      return { look: "partial", words: text.partial };
    case "FAILED":
      return { look: "failed", words: text.failed };
    case "CANCELLED":
      return { look: "quiet", words: text.cancelled };
  }
}

/** The moves that its state allows. */
export function movesOf(task: Task): Move[] {
  switch (task.status) {
    case "PENDING":
      return [task.paused ? "resume" : "start", "cancel", "delete"];
    case "PROCESSING":
      return [...(task.isLive ? (["finish"] as const) : []), "pause", "cancel", "delete"];
    case "PARTIAL_COMPLETED":
    case "FAILED":
      return ["retry", "delete"];
    default:
      return ["delete"];
  }
}

export const isRunning = (task: Task) => task.status === "PROCESSING" && task.startedAt !== null;

export const atRest = (task: Task) => !["PENDING", "PROCESSING"].includes(task.status);

/** Sound and picture in one: what has tracks of its own for sound cannot be saved as a file. */
export const isOneFile = ({ pieceMap }: { pieceMap: readonly unknown[] }) => pieceMap.length <= 1;

/** Its title, or else what its address says. */
export function titleOf(task: { liveroomTitle: string | null; liveroomId: string; resourceUrl?: string }): string {
  return task.liveroomTitle || (task.resourceUrl && nameIn(task.resourceUrl)) || task.liveroomId;
}

function nameIn(url: string): string {
  try {
    const { pathname, hostname } = new URL(url);
    return decodeURIComponent(pathname.split("/").filter(Boolean).pop() ?? hostname);
  } catch {
    return url;
  }
}

export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "";
}

/** What an address leads to, by its extension; null where that says nothing. */
export function guessType(url: string): ResourceType | null {
  const extension = URL.canParse(url) ? /\.(\w+)$/.exec(new URL(url).pathname)?.[1]?.toLowerCase() : undefined;
  if (["m3u8", "m3u"].includes(extension ?? "")) return "HLS";
  if (["mp4", "m4v", "mov"].includes(extension ?? "")) return "MP4";
  return ["jpg", "jpeg", "png", "gif", "webp", "avif", "heic", "bmp"].includes(extension ?? "") ? "IMAGE" : null;
}
