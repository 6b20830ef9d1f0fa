/** One download, live. */

import { useCallback, useEffect, useRef, useState } from "react";
import { DetailDocument, type DetailFragment, TaskChangedDocument } from "../../gql/graphql";
import { ask, connection, follow } from "../client";
import { stableLink } from "../links";
import { lastChanged } from "../list";
import { atRest } from "../task";

export type Watched = { task: DetailFragment | null; loading: boolean; error: unknown };

/** The task as it is; followed while it can move on by itself, and whenever it begins to. */
export function useTask(id: string): [Watched, () => Promise<void>] {
  const [watched, setWatched] = useState<Watched>({ task: null, loading: true, error: null });
  const stop = useRef<() => void>(undefined);

  const show = useCallback((task: DetailFragment | null) => {
    setWatched({ task: task && withStableLinks(task), loading: false, error: null });
  }, []);
  const followIt = useCallback(() => {
    if (stop.current) return;
    const end = () => {
      stop.current = undefined;
    };
    stop.current = follow(TaskChangedDocument, { id }, ({ taskChanged }) => show(taskChanged), end);
  }, [id, show]);
  const load = useCallback(async () => {
    try {
      const { task } = await ask(DetailDocument, { id });
      show(task);
      if (task && !atRest(task)) followIt();
    } catch (error) {
      setWatched((before) => ({ ...before, loading: false, error }));
    }
  }, [id, show, followIt]);

  useEffect(() => {
    void load();
    const unheed = lastChanged.subscribe(() => {
      const news = lastChanged.get();
      if (news?.id === id && !stop.current) void load(); // it moves on again, after a rest
    });
    let away = false;
    const unwatch = connection.subscribe(() => {
      if (connection.get() === "live" && away) void load();
      away = connection.get() === "lost";
    });
    return () => {
      unheed();
      unwatch();
      stop.current?.();
      stop.current = undefined;
    };
  }, [id, load]);
  return [watched, load];
}

function withStableLinks(task: DetailFragment): DetailFragment {
  return {
    ...task,
    playbackUrl: stableLink(task.playbackUrl),
    video: task.video && { ...task.video, coverUrl: stableLink(task.video.coverUrl) },
  };
}
