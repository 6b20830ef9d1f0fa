/** Operations to the service, by HTTP and WebSocket, in the name of whoever is signed in. */

import type { DocumentTypeDecoration } from "@graphql-typed-document-node/core";
import { createClient, type Client as Socket } from "graphql-ws";
import { currentToken, endSession } from "./session";
import { signal } from "./signal";

type Document<Result, Variables> = DocumentTypeDecoration<Result, Variables> & { toString(): string };
type Answer<Result> = { data?: Result | null; errors?: { message: string; extensions?: { code?: string } }[] };

const AT_MOST_BETWEEN_TRIES = 5000; // ms: who looks at the page wants it back soon
const KEEP_ALIVE = 10_000; // ms between pings; a connection that does not answer one is dead

/** The service cannot be reached. */
export class Unreachable extends Error {}

/** The token is no longer good: the page has gone to its sign-in, which says so. */
export class SignedOut extends Error {}

/** The service refuses: the message says why. */
export class Refused extends Error {}

/** Whether news arrive: "connecting" until the first time, "lost" while the service is away. */
export const connection = signal<"connecting" | "live" | "lost">("connecting");

/** A query or mutation. Throws Unreachable, Refused, or SignedOut when the token is no longer good. */
export async function ask<Result, Variables>(document: Document<Result, Variables>, variables: Variables) {
  const answer = (await send("./graphql", {
    headers: { "Content-Type": "application/json", Accept: "application/graphql-response+json" },
    body: JSON.stringify({ query: document.toString(), variables }),
  })) as Answer<Result>;
  if (!answer.data) throw new Refused(answer.errors?.map((error) => error.message).join(" ") ?? "");
  return answer.data;
}

/** The JSON that a POST answers, whatever its status. Throws Unreachable or SignedOut. */
export async function send(url: string, request: RequestInit): Promise<unknown> {
  const token = currentToken();
  const headers = { ...request.headers, Authorization: `Bearer ${token}` };
  const response = await fetch(url, { method: "POST", ...request, headers }).catch(() => {
    throw new Unreachable();
  });
  if (response.status === 401) {
    endSession("expired", token);
    throw new SignedOut();
  }
  return response.json().catch(() => {
    throw new Unreachable();
  });
}

let socket: Socket | undefined;

/** Open the connection for subscriptions; it comes back by itself until `close`. */
export function open(): () => void {
  const token = currentToken();
  const url = new URL("./graphql", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.hash = url.search = "";
  let deadline: number | undefined;
  let wire: WebSocket | undefined;
  connection.set("connecting");
  socket = createClient({
    url: url.href,
    connectionParams: { Authorization: `Bearer ${token}` },
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait: (tries) => new Promise((go) => setTimeout(go, Math.min(AT_MOST_BETWEEN_TRIES, 300 * 2 ** tries))),
    keepAlive: KEEP_ALIVE,
    on: {
      opened: (opened) => {
        wire = opened as WebSocket;
      },
      connected: () => connection.set("live"),
      ping: (received) => {
        if (!received) deadline = window.setTimeout(() => wire?.close(4499, "No answer to a ping"), KEEP_ALIVE / 2);
      },
      pong: (received) => {
        if (received) clearTimeout(deadline);
      },
      closed: (event) => {
        clearTimeout(deadline);
        const code = (event as CloseEvent).code;
        if (code === 4401 || code === 4403) endSession("expired", token);
        else connection.set("lost");
      },
    },
  });
  const opened = socket;
  return () => void opened.dispose();
}

/** Follow a subscription until the function that comes back is called; `ended` when the service ends it. */
export function follow<Result, Variables extends Record<string, unknown>>(
  document: Document<Result, Variables>,
  variables: Variables,
  told: (news: Result) => void,
  ended: () => void = () => {},
): () => void {
  const operation = { query: document.toString(), variables };
  const stop = socket?.subscribe<Result>(operation, {
    next: ({ data }) => data && told(data),
    error: ended,
    complete: ended,
  });
  return () => stop?.();
}
