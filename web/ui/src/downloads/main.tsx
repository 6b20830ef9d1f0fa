import "./style/colours.css";
import "./style/base.css";
import "./style/frame.css";
import "./style/dialogs.css";
import "./style/list.css";
import "./style/detail.css";
import "./style/library.css";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { beginSession } from "./session";
import { text } from "./texts";

document.title = text.product;
beginSession();
const root = document.querySelector("#downloads");
if (root) createRoot(root).render(<App />);
