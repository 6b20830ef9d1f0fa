import { percent } from "../format";
import { isRunning, lookOf, type Task, titleOf } from "../task";
import { text } from "../texts";

/** Where it stands, in words and colour. */
export function StateChip({ task }: { task: Task }) {
  const { look, words } = lookOf(task);
  return <span className={`chip ${look}`}>{words}</span>;
}

/** How far it is. A recording has no end, and so no share of it. */
export function ProgressBar({ task }: { task: Task }) {
  const { look } = lookOf(task);
  const endless = task.isLive && isRunning(task);
  return (
    <progress
      className={look}
      aria-label={text.progressOf(titleOf(task))}
      aria-valuetext={endless ? text.recording : percent(task.progress)}
      {...(endless ? {} : { value: task.progress, max: 1 })}
    />
  );
}
