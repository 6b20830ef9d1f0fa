import type { ReactNode } from "react";
import { wordsOf } from "../notices";
import { text } from "../texts";

/** What stands where there is nothing. */
export function Empty({ title, hint, children }: { title: string; hint?: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {hint && <p>{hint}</p>}
      {children}
    </div>
  );
}

/** What stands where loading has failed. */
export function Failed({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  return (
    <div className="empty" role="alert">
      <h2>{text.loadFailed}</h2>
      <p>{wordsOf(error)}</p>
      <button type="button" onClick={onRetry}>
        {text.tryAgain}
      </button>
    </div>
  );
}
