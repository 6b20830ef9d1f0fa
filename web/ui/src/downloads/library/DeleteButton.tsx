import { useState } from "react";
import { DeleteDocument } from "../../gql/graphql";
import { ask } from "../client";
import { drop } from "../list";
import { tell, wordsOf } from "../notices";
import { Confirm } from "../parts/Confirm";
import { Icon } from "../parts/Icon";
import { refusalWords } from "../refusals";
import { text } from "../texts";

type Props = { taskId: string; title: string; onDeleted: () => void };

/** Deletes a video with its task, after asking. */
export function DeleteButton({ taskId, title, onDeleted }: Props) {
  const [asked, setAsked] = useState(false);
  const remove = async () => {
    try {
      const { deleteTasks } = await ask(DeleteDocument, { ids: [taskId] });
      const [refusal] = deleteTasks.flatMap((each) => each.userErrors);
      if (refusal) return tell(refusalWords(refusal), true);
      drop([taskId]);
      tell(text.done_delete(1));
      onDeleted();
    } catch (error) {
      tell(wordsOf(error), true);
    }
  };
  return (
    <>
      <button
        type="button"
        className="quiet icon"
        aria-label={text.deleteTitle(title)}
        title={text.delete}
        onClick={() => setAsked(true)}
      >
        <Icon name="delete" />
      </button>
      {asked && (
        <Confirm
          title={text.confirmDelete(1)}
          hint={text.confirmDeleteHint}
          action={text.delete}
          onConfirm={() => void remove()}
          onClose={() => setAsked(false)}
        />
      )}
    </>
  );
}
