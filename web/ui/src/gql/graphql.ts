/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** A download to create. */
export type CreateTaskInput = {
  /** Start it in the same call. */
  autoStart?: boolean | null | undefined;
  /** The same key from the same user returns the first call's task; with other input it is a CONFLICT. Kept for 7 days. */
  idempotencyKey?: string | null | undefined;
  /** The live room it belongs to: 5 to 20 characters. */
  liveroomId: string;
  /** Its title, for people: at most 255 characters. */
  liveroomTitle?: string | null | undefined;
  /** A link to the live room; never fetched. */
  liveroomUrl?: string | null | undefined;
  /** HLS: take the best variant not taller than this many lines; null takes the best of all. */
  maxHeight?: number | null | undefined;
  /** How often retryTask may be called: 1 to 10. */
  maxRetries?: number | null | undefined;
  /** 0 (last) to 100 (first) among your own tasks. */
  priority?: number | null | undefined;
  /** Sent with every request for this task, as Referer, User-Agent or Cookie: at most 20. Write-only, kept encrypted, dropped when the task is at rest for good. */
  requestHeaders?: Array<RequestHeaderInput> | null | undefined;
  /** What the URL leads to. */
  resourceType: ResourceType;
  /** A public http or https URL of at most 2,000 characters, without user name and password. */
  resourceUrl: string;
};

/** What kind of piece did not arrive. */
export type FailedResourceType =
  /** A whole picture. */
  | 'IMAGE'
  /** A playlist or a key. */
  | 'M3U8'
  /** A whole MP4 file. */
  | 'MP4'
  /** A segment or initialization section, of whatever container. */
  | 'TS';

/** Where a failure stands. */
export type FailureStatus =
  /** Given up by the user; it still counts as lost. */
  | 'ABANDONED'
  /** Waits for a retry, by the user or (at `nextRetryTime`) by itself. */
  | 'PENDING'
  /** Is being fetched again. */
  | 'RETRYING';

/** Why a piece did not arrive. */
export type FailureType =
  /** What arrived is not the media it should be, or is larger than allowed. */
  | 'INVALID_CONTENT'
  /** No name, no connection, a broken TLS handshake, or HTTP 404, 410, 429 or 5xx. */
  | 'NETWORK_ERROR'
  /** HTTP 401 or 403, an expired URL, or an address that must not be fetched. */
  | 'PERMISSION_ERROR'
  /** The disk is full or read-only, or the object storage refused. */
  | 'STORAGE_ERROR'
  /** The connection was not made in time, or no byte arrived for too long. */
  | 'TIMEOUT';

/** A direction to order in. */
export type OrderDirection =
  /** The smallest or oldest first. */
  | 'ASC'
  /** The largest or newest first. */
  | 'DESC';

/** Pieces of one track of the piece map, by their positions. */
export type PieceRange = {
  /** The first one, from 0. */
  first: number;
  /** The last one, which belongs to them. */
  last: number;
  /** The name of the track. */
  track?: string;
};

/** A header to send with every request for a task. */
export type RequestHeaderInput = {
  /** Up to 64 characters. Host, Range, Accept-Encoding, Content-* and hop-by-hop names are refused. */
  name: string;
  /** Up to 4 KiB; all headers together up to 8 KiB. */
  value: string;
};

/** What a task downloads. */
export type ResourceType =
  /** An HLS stream: a master or media playlist. */
  | 'HLS'
  /** One picture. */
  | 'IMAGE'
  /** One MP4 file. */
  | 'MP4';

/** Narrows a list of tasks: all that is given must hold. */
export type TaskFilter = {
  /** Created after this instant. */
  createdAfter?: string | null | undefined;
  /** Created before this instant. */
  createdBefore?: string | null | undefined;
  /** Of exactly this live room. */
  liveroomId?: string | null | undefined;
  /** Of one of these types. */
  resourceType?: Array<ResourceType> | null | undefined;
  /** With this text in its title, live room id or URL, whatever the case. */
  search?: string | null | undefined;
  /** In one of these states. */
  status?: Array<TaskStatus> | null | undefined;
};

/** How a list of tasks is ordered. Without it: the newest first. */
export type TaskOrder = {
  /** Which end comes first. */
  direction?: OrderDirection;
  /** What to order by. */
  field: TaskOrderField;
};

/** What tasks can be ordered by. Equal values are ordered by id. */
export type TaskOrderField =
  /** When the task was created. */
  | 'CREATED_AT'
  /** The id of its live room, alphabetically. */
  | 'LIVEROOM_ID'
  /** Its priority, 0 to 100. */
  | 'PRIORITY'
  /** Its progress, 0 to 1. */
  | 'PROGRESS'
  /** The name of its status, alphabetically. */
  | 'STATUS'
  /** When the task last changed. */
  | 'UPDATED_AT';

/** Where a task stands. PENDING and PROCESSING tasks can still move on by themselves or by a call; the other four are at rest. */
export type TaskStatus =
  /** Given up by the user. */
  | 'CANCELLED'
  /** Every piece is stored. */
  | 'COMPLETED'
  /** More than that is lost, or nothing arrived. */
  | 'FAILED'
  /** At most 30 % of the segments are lost; the rest is stored and plays. */
  | 'PARTIAL_COMPLETED'
  /** Not started, or paused. */
  | 'PENDING'
  /** Started by the user: waits for a slot while `startedAt` is null, runs afterwards. */
  | 'PROCESSING';

/** Why a mutation did nothing. */
export type UserErrorCode =
  /** This address must not be fetched. */
  | 'BLOCKED_URL'
  /** The state of this row, or another row, does not allow it. */
  | 'CONFLICT'
  /** A value of the input is not acceptable. */
  | 'INVALID'
  /** There is no such row among yours. */
  | 'NOT_FOUND'
  /** Your quota is used up. */
  | 'QUOTA_EXCEEDED'
  /** All retries are used up. */
  | 'RETRY_LIMIT_REACHED';

/** Narrows a list of videos: all that is given must hold. */
export type VideoFilter = {
  /** Of exactly this live room. */
  liveroomId?: string | null | undefined;
  /** In one of these states. */
  status?: Array<VideoStatus> | null | undefined;
  /** Of one of these types. */
  videoType?: Array<ResourceType> | null | undefined;
};

/** How whole a video is. */
export type VideoStatus =
  /** Nothing is missing. */
  | 'COMPLETED'
  /** Little of it plays. */
  | 'FAILED'
  /** It plays, with gaps. */
  | 'PARTIAL_COMPLETED';

export type TaskFragment = { id: string, videoId: string, liveroomId: string, liveroomTitle: string | null, resourceUrl: string, resourceType: ResourceType, status: TaskStatus, paused: boolean, progress: number, bytesDownloaded: number, bytesTotal: number | null, bytesPerSecond: number | null, etaSeconds: number | null, segmentsDownloaded: number, segmentsTotal: number | null, isLive: boolean, retryCount: number, maxRetries: number, priority: number, lastError: string | null, createdAt: string, updatedAt: string, startedAt: string | null, completedAt: string | null, video: { id: string, coverUrl: string | null, duration: number | null } | null };

export type FailureFragment = { id: string, resourceUrl: string, resourceType: FailedResourceType, failureType: FailureType, errorMessage: string, segmentIndex: number | null, track: string | null, status: FailureStatus, retryCount: number, nextRetryTime: string | null, updatedAt: string };

export type DetailFragment = { liveroomUrl: string | null, playbackUrl: string | null, id: string, videoId: string, liveroomId: string, liveroomTitle: string | null, resourceUrl: string, resourceType: ResourceType, status: TaskStatus, paused: boolean, progress: number, bytesDownloaded: number, bytesTotal: number | null, bytesPerSecond: number | null, etaSeconds: number | null, segmentsDownloaded: number, segmentsTotal: number | null, isLive: boolean, retryCount: number, maxRetries: number, priority: number, lastError: string | null, createdAt: string, updatedAt: string, startedAt: string | null, completedAt: string | null, pieceMap: Array<{ name: string, total: number, duration: number | null, runs: string }>, failures: { totalCount: number, nodes: Array<{ id: string, resourceUrl: string, resourceType: FailedResourceType, failureType: FailureType, errorMessage: string, segmentIndex: number | null, track: string | null, status: FailureStatus, retryCount: number, nextRetryTime: string | null, updatedAt: string }> }, video: { id: string, videoId: string, status: VideoStatus, fileSize: number | null, duration: number | null, resolution: string | null, format: string | null, coverUrl: string | null, downloadStartTime: string | null, downloadEndTime: string | null } | null };

export type RefusalFragment = { code: UserErrorCode, message: string, field: Array<string> | null };

export type ViewerQueryVariables = Exact<{ [key: string]: never; }>;


export type ViewerQuery = { viewer: { userId: string, waiting: number, bytesStored: number, taskCounts: Array<{ status: TaskStatus, count: number }> } };

export type TasksQueryVariables = Exact<{
  first: number;
  after?: string | null | undefined;
  filter?: TaskFilter | null | undefined;
  orderBy?: TaskOrder | null | undefined;
}>;


export type TasksQuery = { tasks: { totalCount: number, nodes: Array<{ id: string, videoId: string, liveroomId: string, liveroomTitle: string | null, resourceUrl: string, resourceType: ResourceType, status: TaskStatus, paused: boolean, progress: number, bytesDownloaded: number, bytesTotal: number | null, bytesPerSecond: number | null, etaSeconds: number | null, segmentsDownloaded: number, segmentsTotal: number | null, isLive: boolean, retryCount: number, maxRetries: number, priority: number, lastError: string | null, createdAt: string, updatedAt: string, startedAt: string | null, completedAt: string | null, video: { id: string, coverUrl: string | null, duration: number | null } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type DetailQueryVariables = Exact<{
  id: string | number;
}>;


export type DetailQuery = { task: { liveroomUrl: string | null, playbackUrl: string | null, id: string, videoId: string, liveroomId: string, liveroomTitle: string | null, resourceUrl: string, resourceType: ResourceType, status: TaskStatus, paused: boolean, progress: number, bytesDownloaded: number, bytesTotal: number | null, bytesPerSecond: number | null, etaSeconds: number | null, segmentsDownloaded: number, segmentsTotal: number | null, isLive: boolean, retryCount: number, maxRetries: number, priority: number, lastError: string | null, createdAt: string, updatedAt: string, startedAt: string | null, completedAt: string | null, pieceMap: Array<{ name: string, total: number, duration: number | null, runs: string }>, failures: { totalCount: number, nodes: Array<{ id: string, resourceUrl: string, resourceType: FailedResourceType, failureType: FailureType, errorMessage: string, segmentIndex: number | null, track: string | null, status: FailureStatus, retryCount: number, nextRetryTime: string | null, updatedAt: string }> }, video: { id: string, videoId: string, status: VideoStatus, fileSize: number | null, duration: number | null, resolution: string | null, format: string | null, coverUrl: string | null, downloadStartTime: string | null, downloadEndTime: string | null } | null } | null };

export type FailuresQueryVariables = Exact<{
  id: string | number;
  after?: string | null | undefined;
}>;


export type FailuresQuery = { task: { id: string, failures: { nodes: Array<{ id: string, resourceUrl: string, resourceType: FailedResourceType, failureType: FailureType, errorMessage: string, segmentIndex: number | null, track: string | null, status: FailureStatus, retryCount: number, nextRetryTime: string | null, updatedAt: string }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } } | null };

export type FailuresWithinQueryVariables = Exact<{
  id: string | number;
  pieces: PieceRange;
}>;


export type FailuresWithinQuery = { task: { id: string, failuresWithin: { totalCount: number, nodes: Array<{ id: string, resourceUrl: string, resourceType: FailedResourceType, failureType: FailureType, errorMessage: string, segmentIndex: number | null, track: string | null, status: FailureStatus, retryCount: number, nextRetryTime: string | null, updatedAt: string }> } } | null };

export type VideosQueryVariables = Exact<{
  first: number;
  after?: string | null | undefined;
  filter?: VideoFilter | null | undefined;
}>;


export type VideosQuery = { videos: { totalCount: number, nodes: Array<{ id: string, videoId: string, taskId: string, liveroomId: string, liveroomTitle: string | null, videoType: ResourceType, fileSize: number | null, duration: number | null, resolution: string | null, format: string | null, status: VideoStatus, coverUrl: string | null, playbackUrl: string | null, createdAt: string, task: { pieceMap: Array<{ name: string }> } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type TasksChangedSubscriptionVariables = Exact<{ [key: string]: never; }>;


export type TasksChangedSubscription = { tasksChanged: { id: string, videoId: string, liveroomId: string, liveroomTitle: string | null, resourceUrl: string, resourceType: ResourceType, status: TaskStatus, paused: boolean, progress: number, bytesDownloaded: number, bytesTotal: number | null, bytesPerSecond: number | null, etaSeconds: number | null, segmentsDownloaded: number, segmentsTotal: number | null, isLive: boolean, retryCount: number, maxRetries: number, priority: number, lastError: string | null, createdAt: string, updatedAt: string, startedAt: string | null, completedAt: string | null, video: { id: string, coverUrl: string | null, duration: number | null } | null } };

export type TaskChangedSubscriptionVariables = Exact<{
  id: string | number;
}>;


export type TaskChangedSubscription = { taskChanged: { liveroomUrl: string | null, playbackUrl: string | null, id: string, videoId: string, liveroomId: string, liveroomTitle: string | null, resourceUrl: string, resourceType: ResourceType, status: TaskStatus, paused: boolean, progress: number, bytesDownloaded: number, bytesTotal: number | null, bytesPerSecond: number | null, etaSeconds: number | null, segmentsDownloaded: number, segmentsTotal: number | null, isLive: boolean, retryCount: number, maxRetries: number, priority: number, lastError: string | null, createdAt: string, updatedAt: string, startedAt: string | null, completedAt: string | null, pieceMap: Array<{ name: string, total: number, duration: number | null, runs: string }>, failures: { totalCount: number, nodes: Array<{ id: string, resourceUrl: string, resourceType: FailedResourceType, failureType: FailureType, errorMessage: string, segmentIndex: number | null, track: string | null, status: FailureStatus, retryCount: number, nextRetryTime: string | null, updatedAt: string }> }, video: { id: string, videoId: string, status: VideoStatus, fileSize: number | null, duration: number | null, resolution: string | null, format: string | null, coverUrl: string | null, downloadStartTime: string | null, downloadEndTime: string | null } | null } };

export type CreateMutationVariables = Exact<{
  inputs: Array<CreateTaskInput> | CreateTaskInput;
}>;


export type CreateMutation = { createTasks: Array<{ task: { id: string, videoId: string, liveroomId: string, liveroomTitle: string | null, resourceUrl: string, resourceType: ResourceType, status: TaskStatus, paused: boolean, progress: number, bytesDownloaded: number, bytesTotal: number | null, bytesPerSecond: number | null, etaSeconds: number | null, segmentsDownloaded: number, segmentsTotal: number | null, isLive: boolean, retryCount: number, maxRetries: number, priority: number, lastError: string | null, createdAt: string, updatedAt: string, startedAt: string | null, completedAt: string | null, video: { id: string, coverUrl: string | null, duration: number | null } | null } | null, userErrors: Array<{ code: UserErrorCode, message: string, field: Array<string> | null }> }> };

export type StartMutationVariables = Exact<{
  id: string | number;
}>;


export type StartMutation = { outcome: { task: { id: string, videoId: string, liveroomId: string, liveroomTitle: string | null, resourceUrl: string, resourceType: ResourceType, status: TaskStatus, paused: boolean, progress: number, bytesDownloaded: number, bytesTotal: number | null, bytesPerSecond: number | null, etaSeconds: number | null, segmentsDownloaded: number, segmentsTotal: number | null, isLive: boolean, retryCount: number, maxRetries: number, priority: number, lastError: string | null, createdAt: string, updatedAt: string, startedAt: string | null, completedAt: string | null, video: { id: string, coverUrl: string | null, duration: number | null } | null } | null, userErrors: Array<{ code: UserErrorCode, message: string, field: Array<string> | null }> } };

export type PauseMutationVariables = Exact<{
  id: string | number;
}>;


export type PauseMutation = { outcome: { task: { id: string, videoId: string, liveroomId: string, liveroomTitle: string | null, resourceUrl: string, resourceType: ResourceType, status: TaskStatus, paused: boolean, progress: number, bytesDownloaded: number, bytesTotal: number | null, bytesPerSecond: number | null, etaSeconds: number | null, segmentsDownloaded: number, segmentsTotal: number | null, isLive: boolean, retryCount: number, maxRetries: number, priority: number, lastError: string | null, createdAt: string, updatedAt: string, startedAt: string | null, completedAt: string | null, video: { id: string, coverUrl: string | null, duration: number | null } | null } | null, userErrors: Array<{ code: UserErrorCode, message: string, field: Array<string> | null }> } };

export type ResumeMutationVariables = Exact<{
  id: string | number;
}>;


export type ResumeMutation = { outcome: { task: { id: string, videoId: string, liveroomId: string, liveroomTitle: string | null, resourceUrl: string, resourceType: ResourceType, status: TaskStatus, paused: boolean, progress: number, bytesDownloaded: number, bytesTotal: number | null, bytesPerSecond: number | null, etaSeconds: number | null, segmentsDownloaded: number, segmentsTotal: number | null, isLive: boolean, retryCount: number, maxRetries: number, priority: number, lastError: string | null, createdAt: string, updatedAt: string, startedAt: string | null, completedAt: string | null, video: { id: string, coverUrl: string | null, duration: number | null } | null } | null, userErrors: Array<{ code: UserErrorCode, message: string, field: Array<string> | null }> } };

export type CancelMutationVariables = Exact<{
  id: string | number;
}>;


export type CancelMutation = { outcome: { task: { id: string, videoId: string, liveroomId: string, liveroomTitle: string | null, resourceUrl: string, resourceType: ResourceType, status: TaskStatus, paused: boolean, progress: number, bytesDownloaded: number, bytesTotal: number | null, bytesPerSecond: number | null, etaSeconds: number | null, segmentsDownloaded: number, segmentsTotal: number | null, isLive: boolean, retryCount: number, maxRetries: number, priority: number, lastError: string | null, createdAt: string, updatedAt: string, startedAt: string | null, completedAt: string | null, video: { id: string, coverUrl: string | null, duration: number | null } | null } | null, userErrors: Array<{ code: UserErrorCode, message: string, field: Array<string> | null }> } };

export type FinishMutationVariables = Exact<{
  id: string | number;
}>;


export type FinishMutation = { outcome: { task: { id: string, videoId: string, liveroomId: string, liveroomTitle: string | null, resourceUrl: string, resourceType: ResourceType, status: TaskStatus, paused: boolean, progress: number, bytesDownloaded: number, bytesTotal: number | null, bytesPerSecond: number | null, etaSeconds: number | null, segmentsDownloaded: number, segmentsTotal: number | null, isLive: boolean, retryCount: number, maxRetries: number, priority: number, lastError: string | null, createdAt: string, updatedAt: string, startedAt: string | null, completedAt: string | null, video: { id: string, coverUrl: string | null, duration: number | null } | null } | null, userErrors: Array<{ code: UserErrorCode, message: string, field: Array<string> | null }> } };

export type RetryMutationVariables = Exact<{
  id: string | number;
}>;


export type RetryMutation = { outcome: { task: { id: string, videoId: string, liveroomId: string, liveroomTitle: string | null, resourceUrl: string, resourceType: ResourceType, status: TaskStatus, paused: boolean, progress: number, bytesDownloaded: number, bytesTotal: number | null, bytesPerSecond: number | null, etaSeconds: number | null, segmentsDownloaded: number, segmentsTotal: number | null, isLive: boolean, retryCount: number, maxRetries: number, priority: number, lastError: string | null, createdAt: string, updatedAt: string, startedAt: string | null, completedAt: string | null, video: { id: string, coverUrl: string | null, duration: number | null } | null } | null, userErrors: Array<{ code: UserErrorCode, message: string, field: Array<string> | null }> } };

export type DeleteMutationVariables = Exact<{
  ids: Array<string | number> | string | number;
}>;


export type DeleteMutation = { deleteTasks: Array<{ deletedTaskId: string | null, userErrors: Array<{ code: UserErrorCode, message: string, field: Array<string> | null }> }> };

export type RetryPiecesMutationVariables = Exact<{
  id: string | number;
  pieces: PieceRange;
}>;


export type RetryPiecesMutation = { outcome: { retriedCount: number, userErrors: Array<{ code: UserErrorCode, message: string, field: Array<string> | null }> } };

export type AbandonPiecesMutationVariables = Exact<{
  id: string | number;
  pieces: PieceRange;
}>;


export type AbandonPiecesMutation = { outcome: { abandonedCount: number, userErrors: Array<{ code: UserErrorCode, message: string, field: Array<string> | null }> } };

export type RetryFailureMutationVariables = Exact<{
  id: string | number;
}>;


export type RetryFailureMutation = { outcome: { failure: { id: string, resourceUrl: string, resourceType: FailedResourceType, failureType: FailureType, errorMessage: string, segmentIndex: number | null, track: string | null, status: FailureStatus, retryCount: number, nextRetryTime: string | null, updatedAt: string } | null, userErrors: Array<{ code: UserErrorCode, message: string, field: Array<string> | null }> } };

export type AbandonFailureMutationVariables = Exact<{
  id: string | number;
}>;


export type AbandonFailureMutation = { outcome: { failure: { id: string, resourceUrl: string, resourceType: FailedResourceType, failureType: FailureType, errorMessage: string, segmentIndex: number | null, track: string | null, status: FailureStatus, retryCount: number, nextRetryTime: string | null, updatedAt: string } | null, userErrors: Array<{ code: UserErrorCode, message: string, field: Array<string> | null }> } };

export type AbandonFailuresMutationVariables = Exact<{
  id: string | number;
}>;


export type AbandonFailuresMutation = { outcome: { abandonedCount: number, userErrors: Array<{ code: UserErrorCode, message: string, field: Array<string> | null }> } };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}
export const TaskFragmentDoc = new TypedDocumentString(`
    fragment Task on DownloadTask {
  id
  videoId
  liveroomId
  liveroomTitle
  resourceUrl
  resourceType
  status
  paused
  progress
  bytesDownloaded
  bytesTotal
  bytesPerSecond
  etaSeconds
  segmentsDownloaded
  segmentsTotal
  isLive
  retryCount
  maxRetries
  priority
  lastError
  createdAt
  updatedAt
  startedAt
  completedAt
  video {
    id
    coverUrl
    duration
  }
}
    `, {"fragmentName":"Task"}) as unknown as TypedDocumentString<TaskFragment, unknown>;
export const FailureFragmentDoc = new TypedDocumentString(`
    fragment Failure on DownloadFailure {
  id
  resourceUrl
  resourceType
  failureType
  errorMessage
  segmentIndex
  track
  status
  retryCount
  nextRetryTime
  updatedAt
}
    `, {"fragmentName":"Failure"}) as unknown as TypedDocumentString<FailureFragment, unknown>;
export const DetailFragmentDoc = new TypedDocumentString(`
    fragment Detail on DownloadTask {
  ...Task
  liveroomUrl
  playbackUrl
  pieceMap {
    name
    total
    duration
    runs
  }
  failures(first: 50) {
    totalCount
    nodes {
      ...Failure
    }
  }
  video {
    id
    videoId
    status
    fileSize
    duration
    resolution
    format
    coverUrl
    downloadStartTime
    downloadEndTime
  }
}
    fragment Task on DownloadTask {
  id
  videoId
  liveroomId
  liveroomTitle
  resourceUrl
  resourceType
  status
  paused
  progress
  bytesDownloaded
  bytesTotal
  bytesPerSecond
  etaSeconds
  segmentsDownloaded
  segmentsTotal
  isLive
  retryCount
  maxRetries
  priority
  lastError
  createdAt
  updatedAt
  startedAt
  completedAt
  video {
    id
    coverUrl
    duration
  }
}
fragment Failure on DownloadFailure {
  id
  resourceUrl
  resourceType
  failureType
  errorMessage
  segmentIndex
  track
  status
  retryCount
  nextRetryTime
  updatedAt
}`, {"fragmentName":"Detail"}) as unknown as TypedDocumentString<DetailFragment, unknown>;
export const RefusalFragmentDoc = new TypedDocumentString(`
    fragment Refusal on UserError {
  code
  message
  field
}
    `, {"fragmentName":"Refusal"}) as unknown as TypedDocumentString<RefusalFragment, unknown>;
export const ViewerDocument = new TypedDocumentString(`
    query Viewer {
  viewer {
    userId
    waiting
    bytesStored
    taskCounts {
      status
      count
    }
  }
}
    `) as unknown as TypedDocumentString<ViewerQuery, ViewerQueryVariables>;
export const TasksDocument = new TypedDocumentString(`
    query Tasks($first: Int!, $after: String, $filter: TaskFilter, $orderBy: TaskOrder) {
  tasks(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
    totalCount
    nodes {
      ...Task
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    fragment Task on DownloadTask {
  id
  videoId
  liveroomId
  liveroomTitle
  resourceUrl
  resourceType
  status
  paused
  progress
  bytesDownloaded
  bytesTotal
  bytesPerSecond
  etaSeconds
  segmentsDownloaded
  segmentsTotal
  isLive
  retryCount
  maxRetries
  priority
  lastError
  createdAt
  updatedAt
  startedAt
  completedAt
  video {
    id
    coverUrl
    duration
  }
}`) as unknown as TypedDocumentString<TasksQuery, TasksQueryVariables>;
export const DetailDocument = new TypedDocumentString(`
    query Detail($id: ID!) {
  task(id: $id) {
    ...Detail
  }
}
    fragment Task on DownloadTask {
  id
  videoId
  liveroomId
  liveroomTitle
  resourceUrl
  resourceType
  status
  paused
  progress
  bytesDownloaded
  bytesTotal
  bytesPerSecond
  etaSeconds
  segmentsDownloaded
  segmentsTotal
  isLive
  retryCount
  maxRetries
  priority
  lastError
  createdAt
  updatedAt
  startedAt
  completedAt
  video {
    id
    coverUrl
    duration
  }
}
fragment Failure on DownloadFailure {
  id
  resourceUrl
  resourceType
  failureType
  errorMessage
  segmentIndex
  track
  status
  retryCount
  nextRetryTime
  updatedAt
}
fragment Detail on DownloadTask {
  ...Task
  liveroomUrl
  playbackUrl
  pieceMap {
    name
    total
    duration
    runs
  }
  failures(first: 50) {
    totalCount
    nodes {
      ...Failure
    }
  }
  video {
    id
    videoId
    status
    fileSize
    duration
    resolution
    format
    coverUrl
    downloadStartTime
    downloadEndTime
  }
}`) as unknown as TypedDocumentString<DetailQuery, DetailQueryVariables>;
export const FailuresDocument = new TypedDocumentString(`
    query Failures($id: ID!, $after: String) {
  task(id: $id) {
    id
    failures(first: 50, after: $after) {
      nodes {
        ...Failure
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
}
    fragment Failure on DownloadFailure {
  id
  resourceUrl
  resourceType
  failureType
  errorMessage
  segmentIndex
  track
  status
  retryCount
  nextRetryTime
  updatedAt
}`) as unknown as TypedDocumentString<FailuresQuery, FailuresQueryVariables>;
export const FailuresWithinDocument = new TypedDocumentString(`
    query FailuresWithin($id: ID!, $pieces: PieceRange!) {
  task(id: $id) {
    id
    failuresWithin(pieces: $pieces, first: 100) {
      totalCount
      nodes {
        ...Failure
      }
    }
  }
}
    fragment Failure on DownloadFailure {
  id
  resourceUrl
  resourceType
  failureType
  errorMessage
  segmentIndex
  track
  status
  retryCount
  nextRetryTime
  updatedAt
}`) as unknown as TypedDocumentString<FailuresWithinQuery, FailuresWithinQueryVariables>;
export const VideosDocument = new TypedDocumentString(`
    query Videos($first: Int!, $after: String, $filter: VideoFilter) {
  videos(first: $first, after: $after, filter: $filter) {
    totalCount
    nodes {
      id
      videoId
      taskId
      liveroomId
      liveroomTitle
      videoType
      fileSize
      duration
      resolution
      format
      status
      coverUrl
      playbackUrl
      createdAt
      task {
        pieceMap {
          name
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    `) as unknown as TypedDocumentString<VideosQuery, VideosQueryVariables>;
export const TasksChangedDocument = new TypedDocumentString(`
    subscription TasksChanged {
  tasksChanged {
    ...Task
  }
}
    fragment Task on DownloadTask {
  id
  videoId
  liveroomId
  liveroomTitle
  resourceUrl
  resourceType
  status
  paused
  progress
  bytesDownloaded
  bytesTotal
  bytesPerSecond
  etaSeconds
  segmentsDownloaded
  segmentsTotal
  isLive
  retryCount
  maxRetries
  priority
  lastError
  createdAt
  updatedAt
  startedAt
  completedAt
  video {
    id
    coverUrl
    duration
  }
}`) as unknown as TypedDocumentString<TasksChangedSubscription, TasksChangedSubscriptionVariables>;
export const TaskChangedDocument = new TypedDocumentString(`
    subscription TaskChanged($id: ID!) {
  taskChanged(id: $id) {
    ...Detail
  }
}
    fragment Task on DownloadTask {
  id
  videoId
  liveroomId
  liveroomTitle
  resourceUrl
  resourceType
  status
  paused
  progress
  bytesDownloaded
  bytesTotal
  bytesPerSecond
  etaSeconds
  segmentsDownloaded
  segmentsTotal
  isLive
  retryCount
  maxRetries
  priority
  lastError
  createdAt
  updatedAt
  startedAt
  completedAt
  video {
    id
    coverUrl
    duration
  }
}
fragment Failure on DownloadFailure {
  id
  resourceUrl
  resourceType
  failureType
  errorMessage
  segmentIndex
  track
  status
  retryCount
  nextRetryTime
  updatedAt
}
fragment Detail on DownloadTask {
  ...Task
  liveroomUrl
  playbackUrl
  pieceMap {
    name
    total
    duration
    runs
  }
  failures(first: 50) {
    totalCount
    nodes {
      ...Failure
    }
  }
  video {
    id
    videoId
    status
    fileSize
    duration
    resolution
    format
    coverUrl
    downloadStartTime
    downloadEndTime
  }
}`) as unknown as TypedDocumentString<TaskChangedSubscription, TaskChangedSubscriptionVariables>;
export const CreateDocument = new TypedDocumentString(`
    mutation Create($inputs: [CreateTaskInput!]!) {
  createTasks(inputs: $inputs) {
    task {
      ...Task
    }
    userErrors {
      ...Refusal
    }
  }
}
    fragment Task on DownloadTask {
  id
  videoId
  liveroomId
  liveroomTitle
  resourceUrl
  resourceType
  status
  paused
  progress
  bytesDownloaded
  bytesTotal
  bytesPerSecond
  etaSeconds
  segmentsDownloaded
  segmentsTotal
  isLive
  retryCount
  maxRetries
  priority
  lastError
  createdAt
  updatedAt
  startedAt
  completedAt
  video {
    id
    coverUrl
    duration
  }
}
fragment Refusal on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<CreateMutation, CreateMutationVariables>;
export const StartDocument = new TypedDocumentString(`
    mutation Start($id: ID!) {
  outcome: startTask(id: $id) {
    task {
      ...Task
    }
    userErrors {
      ...Refusal
    }
  }
}
    fragment Task on DownloadTask {
  id
  videoId
  liveroomId
  liveroomTitle
  resourceUrl
  resourceType
  status
  paused
  progress
  bytesDownloaded
  bytesTotal
  bytesPerSecond
  etaSeconds
  segmentsDownloaded
  segmentsTotal
  isLive
  retryCount
  maxRetries
  priority
  lastError
  createdAt
  updatedAt
  startedAt
  completedAt
  video {
    id
    coverUrl
    duration
  }
}
fragment Refusal on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<StartMutation, StartMutationVariables>;
export const PauseDocument = new TypedDocumentString(`
    mutation Pause($id: ID!) {
  outcome: pauseTask(id: $id) {
    task {
      ...Task
    }
    userErrors {
      ...Refusal
    }
  }
}
    fragment Task on DownloadTask {
  id
  videoId
  liveroomId
  liveroomTitle
  resourceUrl
  resourceType
  status
  paused
  progress
  bytesDownloaded
  bytesTotal
  bytesPerSecond
  etaSeconds
  segmentsDownloaded
  segmentsTotal
  isLive
  retryCount
  maxRetries
  priority
  lastError
  createdAt
  updatedAt
  startedAt
  completedAt
  video {
    id
    coverUrl
    duration
  }
}
fragment Refusal on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<PauseMutation, PauseMutationVariables>;
export const ResumeDocument = new TypedDocumentString(`
    mutation Resume($id: ID!) {
  outcome: resumeTask(id: $id) {
    task {
      ...Task
    }
    userErrors {
      ...Refusal
    }
  }
}
    fragment Task on DownloadTask {
  id
  videoId
  liveroomId
  liveroomTitle
  resourceUrl
  resourceType
  status
  paused
  progress
  bytesDownloaded
  bytesTotal
  bytesPerSecond
  etaSeconds
  segmentsDownloaded
  segmentsTotal
  isLive
  retryCount
  maxRetries
  priority
  lastError
  createdAt
  updatedAt
  startedAt
  completedAt
  video {
    id
    coverUrl
    duration
  }
}
fragment Refusal on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<ResumeMutation, ResumeMutationVariables>;
export const CancelDocument = new TypedDocumentString(`
    mutation Cancel($id: ID!) {
  outcome: cancelTask(id: $id) {
    task {
      ...Task
    }
    userErrors {
      ...Refusal
    }
  }
}
    fragment Task on DownloadTask {
  id
  videoId
  liveroomId
  liveroomTitle
  resourceUrl
  resourceType
  status
  paused
  progress
  bytesDownloaded
  bytesTotal
  bytesPerSecond
  etaSeconds
  segmentsDownloaded
  segmentsTotal
  isLive
  retryCount
  maxRetries
  priority
  lastError
  createdAt
  updatedAt
  startedAt
  completedAt
  video {
    id
    coverUrl
    duration
  }
}
fragment Refusal on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<CancelMutation, CancelMutationVariables>;
export const FinishDocument = new TypedDocumentString(`
    mutation Finish($id: ID!) {
  outcome: finishTask(id: $id) {
    task {
      ...Task
    }
    userErrors {
      ...Refusal
    }
  }
}
    fragment Task on DownloadTask {
  id
  videoId
  liveroomId
  liveroomTitle
  resourceUrl
  resourceType
  status
  paused
  progress
  bytesDownloaded
  bytesTotal
  bytesPerSecond
  etaSeconds
  segmentsDownloaded
  segmentsTotal
  isLive
  retryCount
  maxRetries
  priority
  lastError
  createdAt
  updatedAt
  startedAt
  completedAt
  video {
    id
    coverUrl
    duration
  }
}
fragment Refusal on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<FinishMutation, FinishMutationVariables>;
export const RetryDocument = new TypedDocumentString(`
    mutation Retry($id: ID!) {
  outcome: retryTask(id: $id) {
    task {
      ...Task
    }
    userErrors {
      ...Refusal
    }
  }
}
    fragment Task on DownloadTask {
  id
  videoId
  liveroomId
  liveroomTitle
  resourceUrl
  resourceType
  status
  paused
  progress
  bytesDownloaded
  bytesTotal
  bytesPerSecond
  etaSeconds
  segmentsDownloaded
  segmentsTotal
  isLive
  retryCount
  maxRetries
  priority
  lastError
  createdAt
  updatedAt
  startedAt
  completedAt
  video {
    id
    coverUrl
    duration
  }
}
fragment Refusal on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<RetryMutation, RetryMutationVariables>;
export const DeleteDocument = new TypedDocumentString(`
    mutation Delete($ids: [ID!]!) {
  deleteTasks(ids: $ids, includeCompleted: true) {
    deletedTaskId
    userErrors {
      ...Refusal
    }
  }
}
    fragment Refusal on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<DeleteMutation, DeleteMutationVariables>;
export const RetryPiecesDocument = new TypedDocumentString(`
    mutation RetryPieces($id: ID!, $pieces: PieceRange!) {
  outcome: retryPieces(taskId: $id, pieces: $pieces) {
    retriedCount
    userErrors {
      ...Refusal
    }
  }
}
    fragment Refusal on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<RetryPiecesMutation, RetryPiecesMutationVariables>;
export const AbandonPiecesDocument = new TypedDocumentString(`
    mutation AbandonPieces($id: ID!, $pieces: PieceRange!) {
  outcome: abandonPieces(taskId: $id, pieces: $pieces) {
    abandonedCount
    userErrors {
      ...Refusal
    }
  }
}
    fragment Refusal on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<AbandonPiecesMutation, AbandonPiecesMutationVariables>;
export const RetryFailureDocument = new TypedDocumentString(`
    mutation RetryFailure($id: ID!) {
  outcome: retryFailure(id: $id) {
    failure {
      ...Failure
    }
    userErrors {
      ...Refusal
    }
  }
}
    fragment Failure on DownloadFailure {
  id
  resourceUrl
  resourceType
  failureType
  errorMessage
  segmentIndex
  track
  status
  retryCount
  nextRetryTime
  updatedAt
}
fragment Refusal on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<RetryFailureMutation, RetryFailureMutationVariables>;
export const AbandonFailureDocument = new TypedDocumentString(`
    mutation AbandonFailure($id: ID!) {
  outcome: abandonFailure(id: $id) {
    failure {
      ...Failure
    }
    userErrors {
      ...Refusal
    }
  }
}
    fragment Failure on DownloadFailure {
  id
  resourceUrl
  resourceType
  failureType
  errorMessage
  segmentIndex
  track
  status
  retryCount
  nextRetryTime
  updatedAt
}
fragment Refusal on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<AbandonFailureMutation, AbandonFailureMutationVariables>;
export const AbandonFailuresDocument = new TypedDocumentString(`
    mutation AbandonFailures($id: ID!) {
  outcome: abandonFailures(taskId: $id) {
    abandonedCount
    userErrors {
      ...Refusal
    }
  }
}
    fragment Refusal on UserError {
  code
  message
  field
}`) as unknown as TypedDocumentString<AbandonFailuresMutation, AbandonFailuresMutationVariables>;