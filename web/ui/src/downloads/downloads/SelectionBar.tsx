import { useEffect, useRef } from "react";
import { MoveButtons } from "../parts/MoveButtons";
import type { Task } from "../task";
import { text } from "../texts";

type Props = { chosen: readonly Task[]; all: boolean; onAll: (on: boolean) => void };

/** Acts on many at once. */
export function SelectionBar({ chosen, all, onAll }: Props) {
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (box.current) box.current.indeterminate = chosen.length > 0 && !all;
  }, [chosen.length, all]);
  return (
    <div className={chosen.length ? "selection some" : "selection"}>
      <label>
        <input ref={box} type="checkbox" checked={all} onChange={(event) => onAll(event.target.checked)} />
        <span className={chosen.length ? undefined : "dim"}>
          {chosen.length ? text.selected(chosen.length) : text.selectAll}
        </span>
      </label>
      {chosen.length > 0 && (
        <div className="actions">
          <MoveButtons tasks={chosen} words onMoved={(_, count) => count && onAll(false)} />
          <button type="button" className="quiet" onClick={() => onAll(false)}>
            {text.clearSelection}
          </button>
        </div>
      )}
    </div>
  );
}
