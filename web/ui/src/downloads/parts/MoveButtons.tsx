import { useState } from "react";
import { moveTasks } from "../moves";
import { type Move, movesOf, type Task, titleOf } from "../task";
import { text } from "../texts";
import { Confirm } from "./Confirm";
import { Icon } from "./Icon";

const ORDER: Move[] = ["start", "resume", "finish", "pause", "retry", "cancel", "delete"];

type Props = { tasks: readonly Task[]; words?: boolean; onMoved?: (move: Move, count: number) => void };

/** What can be done to one task or many; for what cannot be undone it asks first. */
export function MoveButtons({ tasks, words = false, onMoved }: Props) {
  const [asked, setAsked] = useState<Move | null>(null);
  const allowed = new Set(tasks.flatMap(movesOf));
  const move = (wanted: Move) => void moveTasks(wanted, tasks).then((count) => onMoved?.(wanted, count));
  const [only] = tasks;
  const label = (wanted: Move) => (tasks.length === 1 && only ? `${text[wanted]}: ${titleOf(only)}` : text[wanted]);
  return (
    <>
      {ORDER.filter((each) => allowed.has(each)).map((each) => (
        <button
          key={each}
          type="button"
          className={words ? (each === "delete" ? "danger-quiet" : "") : "quiet icon"}
          aria-label={words ? undefined : label(each)}
          title={words ? undefined : text[each]}
          onClick={() => (each === "delete" || each === "cancel" ? setAsked(each) : move(each))}
        >
          <Icon name={each} />
          {words && text[each]}
        </button>
      ))}
      {asked && (
        <Confirm
          title={(asked === "delete" ? text.confirmDelete : text.confirmCancel)(tasks.length)}
          hint={asked === "delete" ? text.confirmDeleteHint : text.confirmCancelHint}
          action={text[asked]}
          onConfirm={() => move(asked)}
          onClose={() => setAsked(null)}
        />
      )}
    </>
  );
}
