import { text } from "../texts";
import { Dialog } from "./Dialog";

type Props = { title: string; hint: string; action: string; onConfirm: () => void; onClose: () => void };

/** Asks before what cannot be undone. */
export function Confirm({ title, hint, action, onConfirm, onClose }: Props) {
  const confirm = () => {
    onClose();
    onConfirm();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{hint}</p>
      <footer>
        <button type="button" onClick={onClose}>
          {text.keep}
        </button>
        <button type="button" className="danger" onClick={confirm}>
          {action}
        </button>
      </footer>
    </Dialog>
  );
}
