import { useCallback, useEffect, useRef, useState } from "react";
import { type ResourceType, VideosDocument, type VideosQuery } from "../../gql/graphql";
import { ask, connection } from "../client";
import { Player } from "../detail/Player";
import { bytes, duration } from "../format";
import { asDownload, stableLink } from "../links";
import { lastChanged, viewer } from "../list";
import { Cover } from "../parts/Cover";
import { Dialog } from "../parts/Dialog";
import { Empty, Failed } from "../parts/Empty";
import { Icon } from "../parts/Icon";
import { TO } from "../route";
import { useSignal } from "../signal";
import { isOneFile, titleOf } from "../task";
import { text } from "../texts";
import { DeleteButton } from "./DeleteButton";

export type Video = VideosQuery["videos"]["nodes"][number];
type Shelf = { videos: Video[]; total: number; cursor: string | null; loading: boolean; error: unknown };

const PAGE = 48;
const EMPTY: Shelf = { videos: [], total: 0, cursor: null, loading: true, error: null };

const KINDS: { name: string; types: ResourceType[] }[] = [
  { name: text.all, types: [] },
  { name: text.onlyVideos, types: ["HLS", "MP4"] },
  { name: text.onlyImages, types: ["IMAGE"] },
];

/** What has arrived, as covers. */
export function Library() {
  const [kind, setKind] = useState(0);
  const [shelf, load, remove] = useShelf(KINDS[kind]?.types ?? []);
  const [playing, setPlaying] = useState<Video | null>(null);
  const used = useSignal(viewer)?.bytesStored;
  return (
    <>
      <div className="title-line">
        <h1>{text.library}</h1>
        <span className="count">{!shelf.loading && text.videoCount(shelf.total)}</span>
        <span className="stretch" />
        {used !== undefined && <span className="storage">{text.storageUsed(bytes(used))}</span>}
      </div>
      <fieldset className="groups">
        <legend className="hidden">{text.type}</legend>
        {KINDS.map(({ name }, index) => (
          <button key={name} type="button" aria-pressed={index === kind} onClick={() => setKind(index)}>
            {name}
          </button>
        ))}
      </fieldset>
      {shelf.error !== null && <Failed error={shelf.error} onRetry={() => void load(null)} />}
      {!shelf.loading && !shelf.error && shelf.videos.length === 0 && (
        <Empty title={text.noVideos} hint={text.noVideosHint} />
      )}
      <ul className="shelf" aria-busy={shelf.loading}>
        {shelf.videos.map((video) => (
          <li key={video.id}>
            <Card video={video} onPlay={() => setPlaying(video)} onDeleted={() => remove(video.id)} />
          </li>
        ))}
      </ul>
      {shelf.cursor && <MoreMark busy={shelf.loading} onSeen={() => void load(shelf.cursor)} />}
      {playing?.playbackUrl && (
        <Dialog title={titleOf(playing)} onClose={() => setPlaying(null)} wide>
          <Player
            url={playing.playbackUrl}
            type={playing.videoType}
            title={titleOf(playing)}
            poster={playing.coverUrl}
          />
        </Dialog>
      )}
    </>
  );
}

function Card({ video, onPlay, onDeleted }: { video: Video; onPlay: () => void; onDeleted: () => void }) {
  const title = titleOf(video);
  const facts = [video.resolution?.replace("x", " × "), video.fileSize === null ? null : bytes(video.fileSize)];
  return (
    <article className="video" aria-label={title}>
      <button type="button" className="show" disabled={!video.playbackUrl} onClick={onPlay}>
        <span className="hidden">{text.playTitle(title)} </span>
        <Cover url={video.coverUrl} type={video.videoType} />
        {video.duration !== null && <span className="length">{duration(video.duration)}</span>}
        {video.videoType !== "IMAGE" && (
          <span className="play">
            <Icon name="play" />
          </span>
        )}
      </button>
      <h2>
        <a href={TO.task(video.taskId)}>{title}</a>
      </h2>
      <p>
        {video.status !== "COMPLETED" && <span className="chip partial">{text.partialBadge}</span>}
        {facts.filter(Boolean).join(" · ")}
      </p>
      <div className="actions">
        {video.playbackUrl && isOneFile(video.task) && (
          <a
            className="button quiet icon"
            href={asDownload(video.playbackUrl)}
            download
            aria-label={text.downloadTitle(title)}
            title={text.download}
          >
            <Icon name="download" />
          </a>
        )}
        <DeleteButton taskId={video.taskId} title={title} onDeleted={onDeleted} />
      </div>
    </article>
  );
}

/** Asks for the next page when it comes into sight. */
function MoreMark({ busy, onSeen }: { busy: boolean; onSeen: () => void }) {
  const mark = useRef<HTMLDivElement>(null);
  const seen = useRef(onSeen);
  seen.current = onSeen;
  useEffect(() => {
    if (!mark.current || busy) return;
    const observer = new IntersectionObserver(
      (entries) => entries.some((each) => each.isIntersecting) && seen.current(),
    );
    observer.observe(mark.current);
    return () => observer.disconnect();
  }, [busy]);
  return <div ref={mark} className="more-mark" />;
}

function useShelf(types: ResourceType[]): [Shelf, (after: string | null) => Promise<void>, (id: string) => void] {
  const [shelf, setShelf] = useState<Shelf>(EMPTY);
  const wanted = types.join();
  const latest = useRef(wanted);
  latest.current = wanted;
  const load = useCallback(
    async (after: string | null) => {
      setShelf((before) => ({ ...before, loading: true, error: null }));
      const filter = wanted ? { videoType: wanted.split(",") as ResourceType[] } : {};
      try {
        const { videos } = await ask(VideosDocument, { first: PAGE, after, filter });
        if (latest.current !== wanted) return;
        const page = videos.nodes.map((video) => ({
          ...video,
          coverUrl: stableLink(video.coverUrl),
          playbackUrl: stableLink(video.playbackUrl),
        }));
        const cursor = videos.pageInfo.hasNextPage ? videos.pageInfo.endCursor : null;
        setShelf((before) => ({
          videos: after ? [...before.videos, ...page] : page,
          total: videos.totalCount,
          cursor,
          loading: false,
          error: null,
        }));
      } catch (error) {
        if (latest.current === wanted) setShelf((before) => ({ ...before, loading: false, error }));
      }
    },
    [wanted],
  );
  useEffect(() => {
    void load(null);
    const finished = () =>
      ["COMPLETED", "PARTIAL_COMPLETED"].includes(lastChanged.get()?.status ?? "") && void load(null);
    let away = false;
    const unheed = lastChanged.subscribe(finished);
    const unwatch = connection.subscribe(() => {
      if (connection.get() === "live" && away) void load(null);
      away = connection.get() === "lost";
    });
    return () => {
      unheed();
      unwatch();
    };
  }, [load]);
  const remove = (id: string) =>
    setShelf((before) => ({
      ...before,
      videos: before.videos.filter((video) => video.id !== id),
      total: before.total - 1,
    }));
  return [shelf, load, remove];
}
