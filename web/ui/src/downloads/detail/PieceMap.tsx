import { useEffect, useId, useMemo, useRef, useState } from "react";
import type { FailureFragment } from "../../gql/graphql";
import { clock, count, duration, since } from "../format";
import { text } from "../texts";
import { type Colours, coloursOf, type Layout, layOut, paint, pieceAt, placeOf } from "./paint";
import {
  decode,
  failureAt,
  letterOf,
  type Stretch,
  stateWords,
  stretchAt,
  stretches,
  type Track,
  timeOf,
} from "./pieces";

const DARK = matchMedia("(prefers-color-scheme: dark)");

type Props = {
  track: Track;
  failures: readonly FailureFragment[];
  onLook: (stretch: Stretch) => void;
  onChoose: (stretch: Stretch) => void;
};

/** Every piece a cell. The keyboard's way through it is that of a slider over the pieces. */
export function PieceMap({ track, failures, onLook, onChoose }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [dark, setDark] = useState(DARK.matches);
  const [cursor, setCursor] = useState<number | null>(null);
  const hint = useId();
  const layout = useMemo(() => layOut(track.total, width), [track.total, width]);
  useWidth(frame, setWidth);
  useEffect(() => {
    const changed = () => setDark(DARK.matches);
    DARK.addEventListener("change", changed);
    return () => DARK.removeEventListener("change", changed);
  }, []);
  usePainting(canvas, track, layout, dark);

  const look = (index: number | null) => {
    setCursor(index);
    const stretch = index === null ? null : stretchAt(track, index);
    if (stretch && index !== null && !failureAt(failures, track.name, index)) onLook(around(stretch, index));
  };
  const choose = (index: number | null) => {
    const stretch = index === null ? null : stretchAt(track, index);
    if (stretch) onChoose(stretch);
  };
  const pointed = (event: React.MouseEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    return pieceAt(layout, track.total, event.clientX - box.left, event.clientY - box.top);
  };
  const pressed = (event: React.KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") choose(cursor ?? 0);
    else {
      const next = moved(event.key, cursor ?? 0, track, layout.columns);
      if (next === null) return;
      look(next);
    }
    event.preventDefault();
  };
  const shown = cursor === null || cursor >= track.total ? null : cursor;
  return (
    <div className="map" ref={frame}>
      <div
        role="slider"
        tabIndex={0}
        aria-label={text.mapLabel(text.trackName(track.name))}
        aria-describedby={hint}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, track.total - 1)}
        aria-valuenow={shown ?? 0}
        aria-valuetext={told(track, failures, shown ?? 0).join(", ")}
        onKeyDown={pressed}
        onFocus={(event) => event.target.matches(":focus-visible") && look(cursor ?? 0)}
        onBlur={() => setCursor(null)}
        onMouseMove={(event) => look(pointed(event))}
        onMouseLeave={() => setCursor(null)}
        onClick={(event) => choose(pointed(event))}
      >
        <canvas ref={canvas} data-total={track.total} data-runs={track.runs} />
      </div>
      <p className="hidden" id={hint}>
        {text.mapHint}
      </p>
      {shown !== null && <Tip lines={told(track, failures, shown)} layout={layout} index={shown} />}
    </div>
  );
}

const LOOKED_UP = 100; // failures are asked for so many pieces at a time

/** The part of a stretch that is looked up with a piece. */
function around(stretch: Stretch, index: number): Stretch {
  const start = index - (index % LOOKED_UP);
  return { ...stretch, first: Math.max(stretch.first, start), last: Math.min(stretch.last, start + LOOKED_UP - 1) };
}

/** Its number, when it plays, where it stands, and why. */
function told(track: Track, failures: readonly FailureFragment[], index: number): string[] {
  const letter = letterOf(decodeAt(track, index));
  const time = timeOf(track, index);
  const failure = failureAt(failures, track.name, index);
  const lines = [text.piece(count(index)), stateWords(letter)];
  if (time !== null) lines.splice(1, 0, text.at(duration(time)));
  if (!failure) return lines;
  const next = failure.nextRetryTime ? text.nextRetry(clock(failure.nextRetryTime)) : null;
  return [...lines, failure.errorMessage, next ?? since(failure.updatedAt)];
}

const decoded = new WeakMap<Track, Uint8Array>();

function cellsOf(track: Track): Uint8Array {
  const cells = decoded.get(track) ?? decode(track);
  decoded.set(track, cells);
  return cells;
}

const decodeAt = (track: Track, index: number) => cellsOf(track)[index];

/** Where a key leads; null for one that does not. */
function moved(key: string, from: number, track: Track, columns: number): number | null {
  const within = (index: number) => Math.max(0, Math.min(track.total - 1, index));
  const losses = stretches([track]).map(({ first }) => first);
  switch (key) {
    case "ArrowRight":
      return within(from + 1);
    case "ArrowLeft":
      return within(from - 1);
    case "ArrowDown":
      return within(from + columns);
    case "ArrowUp":
      return within(from - columns);
    case "PageDown":
      return within(from + 10 * columns);
    case "PageUp":
      return within(from - 10 * columns);
    case "Home":
      return 0;
    case "End":
      return within(track.total - 1);
    case "n":
    case "N":
      return losses.find((first) => first > from) ?? null;
    case "p":
    case "P":
      return losses.findLast((first) => first < from) ?? null;
    default:
      return null;
  }
}

function Tip({ lines, layout, index }: { lines: string[]; layout: Layout; index: number }) {
  const { x, y } = placeOf(layout, index);
  const style = { left: Math.max(0, Math.min(x, layout.width - 240)), top: y + layout.size + 8 };
  const frame = { left: x - 2, top: y - 2, width: layout.size + 4, height: layout.size + 4 };
  return (
    <>
      <span className="map-cursor" style={frame} />
      <div className="tip" style={style} aria-hidden="true">
        {lines.map((line) => (
          <span key={line}>{line}</span>
        ))}
      </div>
    </>
  );
}

function useWidth(frame: React.RefObject<HTMLElement | null>, onWidth: (width: number) => void): void {
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => entry && onWidth(Math.floor(entry.contentRect.width)));
    observer.observe(element);
    return () => observer.disconnect();
  }, [frame, onWidth]);
}

/** Draw what has changed; everything when the size or the colours did. */
function usePainting(
  canvas: React.RefObject<HTMLCanvasElement | null>,
  track: Track,
  layout: Layout,
  dark: boolean,
): void {
  const last = useRef<{ cells: Uint8Array; layout: Layout; dark: boolean; colours: Colours } | null>(null);
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || !layout.width) return;
    const cells = cellsOf(track);
    const before = last.current;
    const fresh = before?.layout !== layout || before.dark !== dark;
    const colours = fresh ? coloursOf(element) : before.colours;
    if (fresh) {
      const density = devicePixelRatio;
      element.width = layout.width * density;
      element.height = layout.height * density;
      element.style.width = `${layout.width}px`;
      element.style.height = `${layout.height}px`;
      context.scale(density, density);
    }
    paint(context, layout, colours, cells, fresh ? null : before.cells);
    last.current = { cells, layout, dark, colours };
  }, [canvas, track, layout, dark]);
}
