import type { ReactNode } from "react";
import { wordsOf } from "../notices";
import { text } from "../texts";

type Props = { title: string; hint?: string; children?: ReactNode; first?: boolean };

/** What stands where there is nothing; ``first`` where no heading is above it. */
export function Empty({ title, hint, children, first }: Props) {
  const Heading = first ? "h1" : "h2";
  return (
    <div className="empty">
      <Heading>{title}</Heading>
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
