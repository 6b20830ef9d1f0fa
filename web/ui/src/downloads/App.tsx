import { useEffect } from "react";
import { connection, open } from "./client";
import { Detail } from "./detail/Detail";
import { Downloads } from "./downloads/Downloads";
import { bytes } from "./format";
import { Library } from "./library/Library";
import { viewer, watchTasks } from "./list";
import { Icon } from "./parts/Icon";
import { Notices } from "./parts/Notices";
import { route, TO, watchAddress } from "./route";
import { SignIn } from "./SignIn";
import { beginSession, endSession, session } from "./session";
import { useSignal } from "./signal";
import { text } from "./texts";

export function App() {
  const { token } = useSignal(session);
  useEffect(() => {
    const stop = watchAddress();
    addEventListener("hashchange", beginSession); // a link with a token may come to an open page
    return () => {
      stop();
      removeEventListener("hashchange", beginSession);
    };
  }, []);
  return (
    <>
      {token ? <SignedIn key={token} /> : <SignIn />}
      <Notices />
    </>
  );
}

function SignedIn() {
  useEffect(() => {
    const close = open();
    const stop = watchTasks();
    return () => {
      stop();
      close();
    };
  }, []);
  return (
    <>
      <button type="button" className="skip" onClick={skip}>
        {text.skip}
      </button>
      <Header />
      <Connection />
      <main id="content" tabIndex={-1}>
        <View />
      </main>
    </>
  );
}

function skip(): void {
  document.querySelector<HTMLElement>("#content")?.focus();
}

function View() {
  const now = useSignal(route);
  useEffect(() => {
    if (now.view !== "downloads") scrollTo(0, 0);
  }, [now]);
  switch (now.view) {
    case "task":
      return <Detail key={now.id} id={now.id} />;
    case "library":
      return <Library />;
    default:
      return <Downloads dialog={now.dialog} />;
  }
}

function Header() {
  const { view } = useSignal(route);
  const known = useSignal(viewer);
  const library = view === "library";
  return (
    <header className="top">
      <div className="top-inner">
        <a className="brand" href={TO.downloads}>
          <Icon name="brand" />
          <span className="name">{text.product}</span>
        </a>
        <nav aria-label={text.product}>
          <a href={TO.downloads} aria-current={library ? undefined : "page"}>
            {text.downloads}
          </a>
          <a href={TO.library} aria-current={library ? "page" : undefined}>
            {text.library}
          </a>
        </nav>
        <span className="used">{known && text.storageUsed(bytes(known.bytesStored))}</span>
        <button type="button" className="quiet icon" onClick={() => endSession("left")} title={text.signOut}>
          <Icon name="leave" />
          <span className="hidden">{text.signOut}</span>
        </button>
      </div>
    </header>
  );
}

function Connection() {
  const lost = useSignal(connection) === "lost";
  return (
    <div role="status" className={lost ? "lost" : undefined}>
      {lost && (
        <p>
          <strong>{text.lost}</strong> {text.lostHint}
        </p>
      )}
    </div>
  );
}
