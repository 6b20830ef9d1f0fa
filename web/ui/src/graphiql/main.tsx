import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./page.css";
import { GraphiQL } from "graphiql";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { onNewToken } from "../token";
import { fetcher } from "./fetcher";
import { headersWithToken, keepTokenOf } from "./headers";
import { storage } from "./storage";
import { WELCOME } from "./welcome";

const headers = headersWithToken();
onNewToken(() => location.reload());

const root = document.querySelector("#graphiql");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <GraphiQL
        fetcher={fetcher}
        storage={storage}
        initialHeaders={headers}
        defaultHeaders={headers}
        defaultEditorToolsVisibility="headers"
        defaultQuery={WELCOME}
        onEditHeaders={keepTokenOf}
        showPersistHeadersSettings={false}
      />
    </StrictMode>,
  );
}
