/** The list of downloads: pages by cursor, kept right by what changes, told four times a second at most. */

import {
  type ResourceType,
  type TaskFilter,
  type TaskOrderField,
  type TaskStatus,
  TasksChangedDocument,
  TasksDocument,
  ViewerDocument,
  type ViewerQuery,
} from "../gql/graphql";
import { ask, connection, follow } from "./client";
import { stableLink } from "./links";
import { signal } from "./signal";
import type { Task } from "./task";

export type Order = { field: TaskOrderField; direction: "ASC" | "DESC" };
export type Wanted = { search: string; status: TaskStatus[]; type: ResourceType[]; order: Order };

export type List = {
  tasks: Task[];
  total: number | null;
  loading: boolean;
  complete: boolean;
  error: unknown;
};

const PAGE = 100;
const PAINTS = 250; // ms between two paintings of news
const COUNTS = 1000; // ms between two looks at the counts, while something changes

export const NEWEST: Order = { field: "CREATED_AT", direction: "DESC" };
export const ALL: Wanted = { search: "", status: [], type: [], order: NEWEST };

const EMPTY: List = { tasks: [], total: null, loading: true, complete: false, error: null };

export const list = signal<List>(EMPTY);
export const viewer = signal<ViewerQuery["viewer"] | null>(null);

/** News of any task, for whoever shows one. */
export const lastChanged = signal<Task | null>(null);

let wanted = ALL;
let cursor: string | null = null;
let generation = 0;
const news = new Map<string, Task>();
let painting: number | undefined;
let counting: number | undefined;

/** Follow everything, until the function that comes back is called. */
export function watchTasks(): () => void {
  let away = false;
  const stopNews = follow(TasksChangedDocument, {}, ({ tasksChanged }) => take(tasksChanged));
  const stopConnection = connection.subscribe(() => {
    const state = connection.get();
    if (state === "live" && away) void reload(); // news of that time were told to nobody
    away = state === "lost";
  });
  void countSoon();
  return () => {
    stopNews();
    stopConnection();
    generation += 1;
    news.clear();
    clearTimeout(painting);
    clearTimeout(counting);
    painting = counting = undefined;
    list.set(EMPTY);
    viewer.set(null);
  };
}

/** Show another list. */
export function want(next: Wanted): void {
  wanted = next;
  list.set(EMPTY);
  void reload();
}

/** Load the list anew; what is shown stays until then. */
export async function reload(): Promise<void> {
  generation += 1;
  const mine = generation;
  const shown = Math.min(PAGE, Math.max(50, list.get().tasks.length));
  list.set({ ...list.get(), loading: true });
  countSoon();
  await load(mine, null, shown, (_, page) => page);
}

/** Load what follows. */
export async function more(): Promise<void> {
  const { loading, complete, error } = list.get();
  if (loading || complete || error) return;
  list.set({ ...list.get(), loading: true });
  await load(generation, cursor, PAGE, (before, page) => {
    const known = new Set(before.map((task) => task.id));
    return [...before, ...page.filter((task) => !known.has(task.id))];
  });
}

async function load(mine: number, after: string | null, first: number, join: (before: Task[], page: Task[]) => Task[]) {
  try {
    const { tasks } = await ask(TasksDocument, { first, after, filter: filterOf(wanted), orderBy: wanted.order });
    if (mine !== generation) return;
    cursor = tasks.pageInfo.endCursor;
    list.set({
      tasks: join(list.get().tasks, tasks.nodes.map(settled)),
      total: tasks.totalCount,
      loading: false,
      complete: !tasks.pageInfo.hasNextPage,
      error: null,
    });
  } catch (error) {
    if (mine === generation) list.set({ ...list.get(), loading: false, error });
  }
}

function filterOf({ search, status, type }: Wanted): TaskFilter {
  return {
    ...(search.trim() ? { search: search.trim() } : {}),
    ...(status.length ? { status } : {}),
    ...(type.length ? { resourceType: type } : {}),
  };
}

// --- news ---

/** This is how a task is now. */
export function take(task: Task): void {
  news.set(task.id, settled(task));
  painting ??= window.setTimeout(paint, PAINTS);
}

/** These tasks are gone. */
export function drop(ids: readonly string[]): void {
  const gone = new Set(ids);
  for (const id of ids) news.delete(id);
  const before = list.get();
  const tasks = before.tasks.filter((task) => !gone.has(task.id));
  list.set({ ...before, tasks, total: before.total && before.total - (before.tasks.length - tasks.length) });
  countSoon();
}

function paint(): void {
  painting = undefined;
  const before = list.get();
  const told = new Map(news);
  news.clear();
  let moved = false;
  let total = before.total;
  const kept: Task[] = [];
  for (const task of before.tasks) {
    const now = told.get(task.id);
    told.delete(task.id);
    if (!now) kept.push(task);
    else if (matches(now)) {
      kept.push(now);
      moved ||= placeOf(now) !== placeOf(task);
    } else total = total && total - 1;
    if (now) lastChanged.set(now);
    if (now && now.status !== task.status) countSoon();
  }
  for (const task of told.values()) {
    lastChanged.set(task);
    countSoon();
    if (!matches(task) || !isWithin(task, kept, before)) continue;
    kept.push(task);
    moved = true;
    if (before.complete || isNew(task, before)) total = (total ?? 0) + 1;
  }
  list.set({ ...before, tasks: moved ? kept.sort(compare) : kept, total });
}

/** A row of a page that is not loaded yet comes with that page. */
function isWithin(task: Task, shown: Task[], { complete }: List): boolean {
  const end = shown.at(-1);
  return complete || (end !== undefined && compare(task, end) < 0);
}

const isNew = (task: Task, { tasks }: List) => tasks.every((known) => known.createdAt < task.createdAt);

function matches(task: Task): boolean {
  const { search, status, type } = wanted;
  const words = search.trim().toLowerCase();
  const texts = [task.liveroomTitle ?? "", task.liveroomId, task.resourceUrl];
  return (
    (!status.length || status.includes(task.status)) &&
    (!type.length || type.includes(task.resourceType)) &&
    (!words || texts.some((each) => each.toLowerCase().includes(words)))
  );
}

function placeOf(task: Task): string | number {
  switch (wanted.order.field) {
    case "UPDATED_AT":
      return task.updatedAt;
    case "PRIORITY":
      return task.priority;
    case "PROGRESS":
      return task.progress;
    case "STATUS":
      return task.status;
    case "LIVEROOM_ID":
      return task.liveroomId;
    default:
      return task.createdAt;
  }
}

/** The order of the service: equal values by id, in the same direction. */
function compare(one: Task, other: Task): number {
  const [mine, theirs] = [placeOf(one), placeOf(other)];
  const ascending = mine < theirs ? -1 : mine > theirs ? 1 : one.id < other.id ? -1 : Number(one.id > other.id);
  return wanted.order.direction === "ASC" ? ascending : -ascending;
}

function settled(task: Task): Task {
  return task.video ? { ...task, video: { ...task.video, coverUrl: stableLink(task.video.coverUrl) } } : task;
}

function countSoon(): void {
  counting ??= window.setTimeout(
    async () => {
      counting = undefined;
      const mine = generation;
      const found = await ask(ViewerDocument, {}).catch(() => null);
      if (found && mine === generation) viewer.set(found.viewer);
    },
    viewer.get() ? COUNTS : 0,
  );
}
