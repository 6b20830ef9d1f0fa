import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useRef, useState } from "react";
import { about, count, percent, since, speed } from "../format";
import { type List, more } from "../list";
import { Cover } from "../parts/Cover";
import { MoveButtons } from "../parts/MoveButtons";
import { ProgressBar, StateChip } from "../parts/State";
import { errorWords } from "../refusals";
import { TO } from "../route";
import { hostOf, isRunning, type Task, titleOf } from "../task";
import { text } from "../texts";

const WIDE = matchMedia("(min-width: 760px)");
const HEIGHT = { wide: 84, narrow: 148 }; // as in list.css
const AHEAD = 20; // rows from the end at which more are loaded

type Props = { list: List; selected: ReadonlySet<string>; onSelect: (id: string, on: boolean) => void };

/** Only the rows in sight exist, however many there are. */
export function Rows({ list, selected, onSelect }: Props) {
  const frame = useRef<HTMLUListElement>(null);
  const height = useWide() ? HEIGHT.wide : HEIGHT.narrow;
  const virtual = useWindowVirtualizer({
    count: list.tasks.length,
    estimateSize: () => height,
    getItemKey: (index) => list.tasks[index]?.id ?? index,
    overscan: 6,
    scrollMargin: frame.current?.offsetTop ?? 0,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another height is what it measures anew for
  useEffect(() => virtual.measure(), [height]);
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= list.tasks.length - AHEAD) void more();
  }, [last, list.tasks.length]);
  return (
    <ul ref={frame} className="rows" aria-busy={list.loading} style={{ height: virtual.getTotalSize() }}>
      {items.map((item) => {
        const task = list.tasks[item.index];
        if (!task) return null;
        const top = item.start - virtual.options.scrollMargin;
        return (
          <li
            key={item.key}
            aria-setsize={list.total ?? -1}
            aria-posinset={item.index + 1}
            style={{ transform: `translateY(${top}px)`, height }}
          >
            <Row task={task} selected={selected.has(task.id)} onSelect={onSelect} />
          </li>
        );
      })}
    </ul>
  );
}

function useWide(): boolean {
  const [wide, setWide] = useState(WIDE.matches);
  useEffect(() => {
    const changed = () => setWide(WIDE.matches);
    WIDE.addEventListener("change", changed);
    return () => WIDE.removeEventListener("change", changed);
  }, []);
  return wide;
}

type RowProps = { task: Task; selected: boolean; onSelect: (id: string, on: boolean) => void };

const Row = memo(function Row({ task, selected, onSelect }: RowProps) {
  const title = titleOf(task);
  return (
    <article className={selected ? "row selected" : "row"} aria-label={title}>
      <label className="check">
        <input
          type="checkbox"
          aria-label={text.select(title)}
          checked={selected}
          onChange={(event) => onSelect(task.id, event.target.checked)}
        />
      </label>
      <Cover url={task.video?.coverUrl} type={task.resourceType} />
      <div className="what">
        <h2>
          <a href={TO.task(task.id)}>{title}</a>
        </h2>
        <p>
          {text.room(task.liveroomId)} · {hostOf(task.resourceUrl)} · {since(task.createdAt)}
        </p>
      </div>
      <div className="state">
        <StateChip task={task} />
        <span className="figure">{percent(task.progress)}</span>
        <ProgressBar task={task} />
        <span className="pace">{paceOf(task)}</span>
      </div>
      <fieldset className="actions">
        <legend className="hidden">{text.actionsFor(title)}</legend>
        <MoveButtons tasks={[task]} />
      </fieldset>
    </article>
  );
});

/** Speed and time while it runs; what went wrong, or how much is there, otherwise. */
function paceOf(task: Task): string {
  if (isRunning(task)) {
    const parts = [task.bytesPerSecond !== null ? speed(task.bytesPerSecond) : ""];
    const left = timeLeft(task);
    if (left !== null) parts.push(text.left(about(left)));
    return parts.filter(Boolean).join(" · ");
  }
  if (task.lastError && task.status !== "COMPLETED") return errorWords(task.lastError);
  if (task.segmentsTotal) return text.pieces(count(task.segmentsDownloaded), count(task.segmentsTotal));
  return "";
}

/** The service knows the bytes in all of a file; of a stream it knows how many pieces are left. */
export function timeLeft(task: Task): number | null {
  if (task.etaSeconds !== null) return task.etaSeconds;
  const { bytesPerSecond, segmentsDownloaded, segmentsTotal, bytesDownloaded } = task;
  if (!bytesPerSecond || !segmentsDownloaded || !segmentsTotal || task.isLive) return null;
  return ((segmentsTotal - segmentsDownloaded) * (bytesDownloaded / segmentsDownloaded)) / bytesPerSecond;
}
