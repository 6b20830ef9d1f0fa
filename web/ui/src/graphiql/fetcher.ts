/** Operations go by POST, subscriptions over a WebSocket (graphql-transport-ws) of their own. */

import { createGraphiQLFetcher, type Fetcher } from "@graphiql/toolkit";
import { createClient } from "graphql-ws";
import { authorized } from "./headers";

const FORBIDDEN = 4403; // the token is refused: it will be the next time, too

const url = new URL("./graphql", location.href).href;

export const fetcher: Fetcher = (params, options) => {
  const headers = authorized(options?.headers);
  const wsClient = createClient({
    url: url.replace(/^http/, "ws"),
    connectionParams: headers,
    shouldRetry: (error) => error instanceof CloseEvent && error.code !== FORBIDDEN,
  });
  return createGraphiQLFetcher({ url, wsClient, enableIncrementalDelivery: false })(params, { ...options, headers });
};
