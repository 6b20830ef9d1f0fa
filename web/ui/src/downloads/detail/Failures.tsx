import { useState } from "react";
import {
  AbandonFailureDocument,
  AbandonFailuresDocument,
  type DetailFragment,
  type FailureFragment,
  FailuresDocument,
  RetryFailureDocument,
  RetryPiecesDocument,
} from "../../gql/graphql";
import { ask } from "../client";
import { clock, count } from "../format";
import { tell, wordsOf } from "../notices";
import { refusalWords } from "../refusals";
import { text } from "../texts";

type Props = { task: DetailFragment; onActed: () => void };

/** Each piece that did not arrive: why, when it is tried again, and what can be done. */
export function Failures({ task, onActed }: Props) {
  const [older, setOlder] = useState<FailureFragment[]>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const known = new Set(task.failures.nodes.map(({ id }) => id));
  const rows = [...task.failures.nodes, ...older.filter(({ id }) => !known.has(id))];
  const more = async () => {
    try {
      const found = (await ask(FailuresDocument, { id: task.id, after: cursor })).task?.failures;
      setOlder((before) => [
        ...before.filter(({ id }) => !found?.nodes.some((each) => each.id === id)),
        ...(found?.nodes ?? []),
      ]);
      setCursor(found?.pageInfo.endCursor ?? null);
    } catch (error) {
      tell(wordsOf(error), true);
    }
  };
  const act = async (what: "retry" | "abandon", id: string) => {
    try {
      const { outcome } = await ask(what === "retry" ? RetryFailureDocument : AbandonFailureDocument, { id });
      const [refusal] = outcome.userErrors;
      if (refusal) tell(refusalWords(refusal), true);
    } catch (error) {
      tell(wordsOf(error), true);
    }
    setOlder([]);
    setCursor(null);
    onActed();
  };
  const all = async (act: (task: DetailFragment) => Promise<void>) => {
    await act(task).catch((error) => tell(wordsOf(error), true));
    onActed();
  };
  const { totalCount } = task.failures;
  return (
    <section className="card" aria-labelledby="failures">
      <div className="card-head">
        <h2 id="failures">
          {text.failures} {totalCount > 0 && <span className="count">{count(totalCount)}</span>}
        </h2>
        {task.failures.nodes.some(({ status }) => status === "PENDING") && (
          <div className="actions">
            {task.status !== "PENDING" && task.pieceMap.length > 0 && (
              <button type="button" onClick={() => void all(retryAll)}>
                {text.retryAll}
              </button>
            )}
            <button type="button" className="quiet" onClick={() => void all(abandonAll)}>
              {text.abandonAll}
            </button>
          </div>
        )}
      </div>
      {totalCount === 0 && <p className="hint">{text.noFailures}</p>}
      <ul className="failures">
        {rows.slice(0, totalCount).map((failure) => (
          <Row key={failure.id} failure={failure} canRetry={task.status !== "PENDING"} onAct={act} />
        ))}
      </ul>
      {rows.length < totalCount && (
        <button type="button" onClick={() => void more()}>
          {text.showMore}
        </button>
      )}
    </section>
  );
}

/** Every lost piece of every track, however many there are. */
async function retryAll({ id, pieceMap }: DetailFragment): Promise<void> {
  let retried = 0;
  for (const { name, total } of pieceMap) {
    const { outcome } = await ask(RetryPiecesDocument, { id, pieces: { track: name, first: 0, last: total - 1 } });
    const [refusal] = outcome.userErrors;
    if (refusal) tell(refusalWords(refusal), true);
    retried += outcome.retriedCount;
  }
  if (retried) tell(text.retriedPieces(retried));
}

async function abandonAll({ id }: DetailFragment): Promise<void> {
  const { outcome } = await ask(AbandonFailuresDocument, { id });
  tell(text.abandonedPieces(outcome.abandonedCount));
}

type RowProps = {
  failure: FailureFragment;
  canRetry: boolean;
  onAct: (what: "retry" | "abandon", id: string) => void;
};

function Row({ failure, canRetry, onAct }: RowProps) {
  const name = nameOf(failure);
  return (
    <li>
      <div>
        <strong>{name}</strong> · {text[`cause_${failure.failureType}`]}
        <p className="cause">{failure.errorMessage}</p>
        <p className="hint">
          {standing(failure)} · {text.triedTimes(failure.retryCount)}
        </p>
        <p className="url" title={failure.resourceUrl}>
          {failure.resourceUrl}
        </p>
      </div>
      {failure.status === "PENDING" && (
        <div className="actions">
          {canRetry && (
            <button type="button" aria-label={`${text.retry}: ${name}`} onClick={() => onAct("retry", failure.id)}>
              {text.retry}
            </button>
          )}
          <button
            type="button"
            className="quiet"
            aria-label={`${text.abandonStretch}: ${name}`}
            onClick={() => onAct("abandon", failure.id)}
          >
            {text.abandonStretch}
          </button>
        </div>
      )}
    </li>
  );
}

function nameOf({ segmentIndex, resourceType, track }: FailureFragment): string {
  if (segmentIndex === null) return resourceType === "M3U8" ? text.playlistOrKey : text.wholeFile;
  const piece = text.piece(count(segmentIndex));
  return track && track !== "ts" ? `${text.trackName(track)} · ${piece}` : piece;
}

function standing({ status, nextRetryTime }: FailureFragment): string {
  if (status === "RETRYING") return text.retrying;
  if (status === "ABANDONED") return text.givenUp;
  return nextRetryTime ? text.nextRetry(clock(nextRetryTime)) : text.waitsForYou;
}
