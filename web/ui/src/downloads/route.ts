/** Where on the page we are: the fragment of the address, so that links and the back button work. */

import { signal } from "./signal";

export type Route =
  | { view: "downloads"; dialog: "none" | "new" | "import" }
  | { view: "task"; id: string }
  | { view: "library" };

export const route = signal<Route>(read());

export const TO = {
  downloads: "#/",
  new: "#/new",
  import: "#/import",
  library: "#/library",
  task: (id: string) => `#/task/${id}`,
};

export function watchAddress(): () => void {
  const changed = () => route.set(read());
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
}

function read(): Route {
  const [, view, id] = location.hash.split("/");
  if (view === "task" && id) return { view: "task", id };
  if (view === "library") return { view: "library" };
  return { view: "downloads", dialog: view === "new" || view === "import" ? view : "none" };
}
