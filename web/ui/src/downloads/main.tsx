import "./style/base.css";
import "./style/parts.css";
import "./style/views.css";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { beginSession } from "./session";
import { text } from "./texts";

document.title = text.product;
beginSession();
const root = document.querySelector("#downloads");
if (root) createRoot(root).render(<App />);
