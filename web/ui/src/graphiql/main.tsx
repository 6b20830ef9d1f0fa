import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./page.css";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";
import { takeToken } from "../token";

const token = takeToken();
const headers = token ? JSON.stringify({ Authorization: `Bearer ${token}` }, null, 2) : "";
const fetcher = createGraphiQLFetcher({ url: "./graphql" });
const root = document.querySelector("#graphiql");
if (root) createRoot(root).render(<GraphiQL fetcher={fetcher} initialHeaders={headers} />);
