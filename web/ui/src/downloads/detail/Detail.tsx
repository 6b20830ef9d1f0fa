import { useRef, useState } from "react";
import type { DetailFragment } from "../../gql/graphql";
import { timeLeft } from "../downloads/Rows";
import { about, percent, speed } from "../format";
import { asDownload } from "../links";
import { Empty, Failed } from "../parts/Empty";
import { Icon } from "../parts/Icon";
import { MoveButtons } from "../parts/MoveButtons";
import { ProgressBar, StateChip } from "../parts/State";
import { errorWords } from "../refusals";
import { TO } from "../route";
import { atRest, isOneFile, isRunning, titleOf } from "../task";
import { text } from "../texts";
import { Facts } from "./Facts";
import { Failures } from "./Failures";
import { Pieces } from "./Pieces";
import { Player } from "./Player";
import { useTask } from "./watch";

/** One download: watch it, repair it, play it. */
export function Detail({ id }: { id: string }) {
  const [{ task, loading, error }, reload] = useTask(id);
  return (
    <>
      <p className="crumb">
        <a href={TO.downloads}>
          <Icon name="back" />
          {text.backToList}
        </a>
      </p>
      {error !== null && !task && <Failed error={error} onRetry={() => void reload()} />}
      {loading && !task && (
        <div className="card ghost tall" role="status">
          <span className="hidden">{text.loading}</span>
        </div>
      )}
      {!loading && !error && !task && <Empty title={text.notFound} hint={text.notFoundHint} first />}
      {task && <Shown task={task} onActed={() => void reload()} />}
    </>
  );
}

function Shown({ task, onActed }: { task: DetailFragment; onActed: () => void }) {
  const left = isRunning(task) ? timeLeft(task) : null;
  return (
    <article className="detail" aria-label={titleOf(task)}>
      <header>
        <h1>{titleOf(task)}</h1>
        <div className="status-line" aria-live="polite" aria-atomic="true">
          <StateChip task={task} />
        </div>
        <div className="how-far">
          <ProgressBar task={task} />
          <span className="figure">{percent(task.progress)}</span>
          <span className="pace">
            {isRunning(task) && task.bytesPerSecond !== null && speed(task.bytesPerSecond)}
            {left !== null && ` · ${text.left(about(left))}`}
          </span>
        </div>
        {task.lastError && task.status !== "COMPLETED" && <p className="cause">{errorWords(task.lastError)}</p>}
        <div className="actions">
          <MoveButtons
            tasks={[task]}
            words
            onMoved={(move, count) => {
              if (move === "delete" && count) location.hash = TO.downloads;
              else onActed();
            }}
          />
          {task.playbackUrl && atRest(task) && isOneFile(task) && (
            <a className="button" href={asDownload(task.playbackUrl)} download>
              <Icon name="download" />
              {text.download}
            </a>
          )}
        </div>
      </header>
      <div className="columns">
        <div>
          <Pieces task={task} onActed={onActed} />
          <Failures task={task} onActed={onActed} />
        </div>
        <div>
          <Playing task={task} />
          <Facts task={task} />
        </div>
      </div>
    </article>
  );
}

/** The player keeps what it plays; when a repair has brought more, it offers to load that. */
function Playing({ task }: { task: DetailFragment }) {
  const loaded = useRef(task.completedAt);
  const [version, setVersion] = useState(0);
  const link = useRef(task.playbackUrl);
  link.current ??= task.playbackUrl; // a fresh one each hour would begin anew in mid-film
  const url = link.current;
  const repaired = version >= 0 && atRest(task) && loaded.current !== null && loaded.current !== task.completedAt;
  const reload = () => {
    loaded.current = task.completedAt;
    link.current = task.playbackUrl;
    setVersion(version + 1);
  };
  return (
    <section className="card playing" aria-labelledby="player">
      <h2 id="player">{text.player}</h2>
      {url ? (
        <Player
          key={`${version}`}
          url={url}
          type={task.resourceType}
          title={titleOf(task)}
          poster={task.video?.coverUrl ?? null}
          growing={!atRest(task)}
        />
      ) : (
        <p className="hint">{task.resourceType === "MP4" && !atRest(task) ? text.playAfterEnd : text.nothingToPlay}</p>
      )}
      {url && repaired && (
        <p className="repaired" role="status">
          {text.repaired}{" "}
          <button type="button" onClick={reload}>
            {text.reload}
          </button>
        </p>
      )}
    </section>
  );
}
