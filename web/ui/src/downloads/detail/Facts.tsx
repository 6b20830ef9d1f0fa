import type { DetailFragment } from "../../gql/graphql";
import { timeLeft } from "../downloads/Rows";
import { about, bytes, count, duration, instant, speed } from "../format";
import { isRunning } from "../task";
import { text } from "../texts";

/** What is known of the source and of what came of it. */
export function Facts({ task }: { task: DetailFragment }) {
  return (
    <section className="card facts" aria-labelledby="facts">
      <h2 id="facts">{text.facts}</h2>
      <dl>
        {factsOf(task).map(([name, value]) =>
          value ? (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ) : null,
        )}
        <div className="wide">
          <dt>{text.address}</dt>
          <dd className="url">{task.resourceUrl}</dd>
        </div>
      </dl>
    </section>
  );
}

function factsOf(task: DetailFragment): [string, string | null][] {
  const { video } = task;
  const left = isRunning(task) ? timeLeft(task) : null;
  const size = video?.fileSize ?? (task.bytesDownloaded || task.bytesTotal);
  const pieces = task.segmentsTotal && text.pieces(count(task.segmentsDownloaded), count(task.segmentsTotal));
  return [
    [text.type, { HLS: text.hls, MP4: text.mp4, IMAGE: text.image }[task.resourceType]],
    [text.liveRoom, task.liveroomId],
    [text.duration, video?.duration ? duration(video.duration) : null],
    [text.resolution, video?.resolution?.replace("x", " × ") ?? null],
    [text.format, video?.format ?? null],
    [text.size, size ? bytes(size) : null],
    [text.pieceMap, pieces || null],
    [text.speed, isRunning(task) && task.bytesPerSecond !== null ? speed(task.bytesPerSecond) : null],
    [text.timeLeft, left === null ? null : about(left)],
    [text.priority, count(task.priority)],
    [text.retries, text.retriesOf(task.retryCount, task.maxRetries)],
    [text.added, instant(task.createdAt)],
    [text.started, task.startedAt && instant(task.startedAt)],
    [text.finished, task.completedAt && instant(task.completedAt)],
  ];
}
