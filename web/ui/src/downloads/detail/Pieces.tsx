import { useCallback, useRef, useState } from "react";
import {
  AbandonPiecesDocument,
  type DetailFragment,
  type FailureFragment,
  FailuresWithinDocument,
  RetryPiecesDocument,
} from "../../gql/graphql";
import { ask } from "../client";
import { count, duration } from "../format";
import { tell, wordsOf } from "../notices";
import { Icon } from "../parts/Icon";
import { refusalWords } from "../refusals";
import { text } from "../texts";
import { PieceMap } from "./PieceMap";
import { failureAt, LETTERS, type Stretch, sizeOf, stateWords, stretches, sums, type Track, timeOf } from "./pieces";

const SHOWN = 50;

type Props = { task: DetailFragment; onActed: () => void };

/** The piece map, what its colours mean, and what can be done about losses: by a click on it, or in the list below. */
export function Pieces({ task, onActed }: Props) {
  const [chosen, setChosen] = useState<Stretch | null>(null);
  const [found, setFound] = useState<FailureFragment[]>([]);
  const failures = [...task.failures.nodes, ...found];
  const [look, forget] = useLookUp(task.id, (more) => setFound((before) => [...before.slice(-500), ...more]));
  const lost = stretches(task.pieceMap).filter(({ state }) => state !== "a");
  const act = async (what: "retry" | "abandon", stretch: Stretch) => {
    setChosen(null);
    setFound([]);
    forget();
    await actOn(what, task.id, stretch);
    onActed();
  };
  const counts = sums(task.pieceMap);
  return (
    <section className="card" aria-labelledby="pieces">
      <h2 id="pieces">{text.pieceMap}</h2>
      {task.pieceMap.length === 0 && <p className="hint">{text.noPieces}</p>}
      <ul className="legend">
        {LETTERS.filter((letter) => counts.get(letter)).map((letter) => (
          <li key={letter} data-state={letter}>
            <span className={`cell cell-${letter}`} /> {stateWords(letter)} <b>{count(counts.get(letter) ?? 0)}</b>
          </li>
        ))}
      </ul>
      {task.pieceMap.map((track) => (
        <div key={track.name}>
          {task.pieceMap.length > 1 && <h3>{text.trackName(track.name)}</h3>}
          <PieceMap track={track} failures={failures} onLook={look} onChoose={setChosen} />
        </div>
      ))}
      {chosen && (
        <Choice
          stretch={chosen}
          track={task.pieceMap.find(({ name }) => name === chosen.track)}
          cause={failureAt(failures, chosen.track, chosen.first)?.errorMessage}
          onAct={act}
          onClose={() => setChosen(null)}
        />
      )}
      {lost.length > 0 && <Losses stretches={lost} tracks={task.pieceMap} failures={failures} onAct={act} />}
    </section>
  );
}

type Act = (what: "retry" | "abandon", stretch: Stretch) => void;

/** What the click on a loss asks. */
function Choice({
  stretch,
  track,
  cause,
  onAct,
  onClose,
}: {
  stretch: Stretch;
  track: Track | undefined;
  cause: string | undefined;
  onAct: Act;
  onClose: () => void;
}) {
  const box = useCallback((element: HTMLElement | null) => element?.querySelector("button")?.focus(), []);
  return (
    <fieldset
      className="choice"
      ref={box}
      aria-label={named(stretch)}
      onKeyDown={(event) => event.key === "Escape" && onClose()}
    >
      <p>
        <strong>{named(stretch)}</strong> · {stateWords(stretch.state)}
        {track && timed(stretch, track)}
        {cause && <span className="cause"> {cause}</span>}
      </p>
      <StretchButtons stretch={stretch} onAct={onAct} />
      <button type="button" className="quiet icon" aria-label={text.close} onClick={onClose}>
        <Icon name="close" />
      </button>
    </fieldset>
  );
}

function StretchButtons({ stretch, onAct }: { stretch: Stretch; onAct: Act }) {
  if (stretch.state === "a") return null;
  return (
    <>
      <button
        type="button"
        className="primary"
        aria-label={`${text.retryStretch}: ${named(stretch)}`}
        onClick={() => onAct("retry", stretch)}
      >
        {text.retryStretch}
      </button>
      <button
        type="button"
        aria-label={`${text.abandonStretch}: ${named(stretch)}`}
        onClick={() => onAct("abandon", stretch)}
      >
        {text.abandonStretch}
      </button>
    </>
  );
}

type LossesProps = { stretches: Stretch[]; tracks: readonly Track[]; failures: readonly FailureFragment[]; onAct: Act };

/** The same as the click, for who does not see or point. */
function Losses({ stretches: lost, tracks, failures, onAct }: LossesProps) {
  const [most, setMost] = useState(SHOWN);
  const total = lost.reduce((sum, stretch) => sum + sizeOf(stretch), 0);
  return (
    <details className="losses">
      <summary>
        {text.stretches} <span className="count">{text.lostCount(total)}</span>
      </summary>
      <ul>
        {lost.slice(0, most).map((stretch) => (
          <li key={`${stretch.track} ${stretch.first}`}>
            <span>
              {tracks.length > 1 && `${text.trackName(stretch.track)} · `}
              {named(stretch)}
              {tracks.filter(({ name }) => name === stretch.track).map((track) => timed(stretch, track))}
              <span className="cause"> {failureAt(failures, stretch.track, stretch.first)?.errorMessage}</span>
            </span>
            <StretchButtons stretch={stretch} onAct={onAct} />
          </li>
        ))}
      </ul>
      {lost.length > most && (
        <button type="button" onClick={() => setMost(most + SHOWN)}>
          {text.showMore}
        </button>
      )}
    </details>
  );
}

const named = ({ first, last }: Stretch) => text.pieceRange(count(first), count(last));

function timed(stretch: Stretch, track: Track): string {
  const time = timeOf(track, stretch.first);
  return time === null ? "" : ` · ${text.at(duration(time))}`;
}

/** Asks for the failures of a part of a stretch, once until told to forget. */
function useLookUp(id: string, onFound: (found: FailureFragment[]) => void): [(part: Stretch) => void, () => void] {
  const asked = useRef(new Set<string>());
  const look = ({ track, first, last }: Stretch) => {
    const name = `${track} ${first}-${last}`;
    if (asked.current.has(name)) return;
    asked.current.add(name);
    ask(FailuresWithinDocument, { id, pieces: { track, first, last } })
      .then(({ task }) => task && onFound(task.failuresWithin.nodes))
      .catch(() => asked.current.delete(name));
  };
  return [look, () => asked.current.clear()];
}

async function actOn(what: "retry" | "abandon", id: string, { track, first, last }: Stretch): Promise<void> {
  const pieces = { track, first, last };
  try {
    if (what === "retry") {
      const { outcome } = await ask(RetryPiecesDocument, { id, pieces });
      const [refusal] = outcome.userErrors;
      tell(refusal ? refusalWords(refusal) : text.retriedPieces(outcome.retriedCount), Boolean(refusal));
    } else {
      const { outcome } = await ask(AbandonPiecesDocument, { id, pieces });
      const [refusal] = outcome.userErrors;
      tell(refusal ? refusalWords(refusal) : text.abandonedPieces(outcome.abandonedCount), Boolean(refusal));
    }
  } catch (error) {
    tell(wordsOf(error), true);
  }
}
