/** Moving tasks on, one or many: each by itself, so that one that refuses holds up no other. */

import {
  CancelDocument,
  DeleteDocument,
  FinishDocument,
  PauseDocument,
  type RefusalFragment,
  ResumeDocument,
  RetryDocument,
  StartDocument,
} from "../gql/graphql";
import { ask } from "./client";
import { drop, take } from "./list";
import { tell, wordsOf } from "./notices";
import { refusalWords } from "./refusals";
import { type Move, movesOf, type Task } from "./task";
import { text } from "./texts";

const AT_ONCE = 4;
const A_CALL = 100; // ids that deleteTasks takes

const DOCUMENTS = {
  start: StartDocument,
  pause: PauseDocument,
  resume: ResumeDocument,
  cancel: CancelDocument,
  finish: FinishDocument,
  retry: RetryDocument,
};

/** Do it to those tasks that allow it, tell what came of it, and say how many it was done to. */
export async function moveTasks(move: Move, tasks: readonly Task[]): Promise<number> {
  const allowed = tasks.filter((task) => movesOf(task).includes(move));
  const refusals: RefusalFragment[] = [];
  let count = 0;
  try {
    if (move === "delete") count = await remove(allowed, refusals);
    else
      await inTurns(allowed, async (task) => {
        const { outcome } = await ask(DOCUMENTS[move], { id: task.id });
        if (outcome.task) take(outcome.task);
        if (outcome.task) count += 1;
        refusals.push(...outcome.userErrors);
      });
  } catch (error) {
    tell(wordsOf(error), true);
  }
  if (count) tell(text[`done_${move}`](count));
  const [first] = refusals;
  if (first) tell(text.refused(refusals.length, refusalWords(first)), true);
  return count;
}

async function remove(tasks: readonly Task[], refusals: RefusalFragment[]): Promise<number> {
  let count = 0;
  for (let start = 0; start < tasks.length; start += A_CALL) {
    const ids = tasks.slice(start, start + A_CALL).map((task) => task.id);
    const { deleteTasks } = await ask(DeleteDocument, { ids });
    const gone = deleteTasks.flatMap((each) => each.deletedTaskId ?? []);
    drop(gone);
    count += gone.length;
    refusals.push(...deleteTasks.flatMap((each) => each.userErrors));
  }
  return count;
}

async function inTurns<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
