/** The piece map, decoded: a letter a piece, and the stretches that can be acted on. */

import type { DetailFragment, FailureFragment } from "../../gql/graphql";
import { text } from "../texts";

export type Track = DetailFragment["pieceMap"][number];
export type Stretch = { track: string; state: "f" | "a" | "g"; first: number; last: number };

export const LETTERS = ["s", "i", "w", "f", "a", "g"] as const;
export type Letter = (typeof LETTERS)[number];

/** The letter's code of each piece. */
export function decode({ runs, total }: Track): Uint8Array {
  const cells = new Uint8Array(total);
  let at = 0;
  for (const [, letter = "", length = ""] of runs.matchAll(/([a-z])(\d+)/g)) {
    cells.fill(letter.charCodeAt(0), at, at + Number(length));
    at += Number(length);
  }
  return cells;
}

export const letterOf = (cell: number | undefined) => String.fromCharCode(cell ?? 0);

export function stateWords(letter: string): string {
  const known = LETTERS.find((each) => each === letter);
  return known ? text[`state_${known}`] : text.state_unknown;
}

/** How many pieces have each letter. */
export function sums(tracks: readonly Track[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const { runs } of tracks)
    for (const [, letter = "", length = ""] of runs.matchAll(/([a-z])(\d+)/g))
      found.set(letter, (found.get(letter) ?? 0) + Number(length));
  return found;
}

/** What is lost, in order: failed, given up, or a gap. */
export function stretches(tracks: readonly Track[]): Stretch[] {
  const found: Stretch[] = [];
  for (const { name, runs } of tracks) {
    let at = 0;
    for (const [, letter = "", length = ""] of runs.matchAll(/([a-z])(\d+)/g)) {
      if (letter === "f" || letter === "a" || letter === "g")
        found.push({ track: name, state: letter, first: at, last: at + Number(length) - 1 });
      at += Number(length);
    }
  }
  return found;
}

/** The stretch that a piece belongs to; null when it is not lost. */
export function stretchAt(track: Track, index: number): Stretch | null {
  return stretches([track]).find(({ first, last }) => first <= index && index <= last) ?? null;
}

export const sizeOf = ({ first, last }: Stretch) => last - first + 1;

/** About when a piece plays, in seconds: pieces of one playlist are about as long. */
export function timeOf({ duration, total }: Track, index: number): number | null {
  return duration && total ? (duration * index) / total : null;
}

/** The failure of a piece, if it is known. */
export function failureAt(failures: readonly FailureFragment[], track: string, index: number) {
  return failures.find((failure) => failure.track === track && (failure.segmentIndex ?? 0) === index);
}
