import { useState } from "react";
import { Icon } from "./parts/Icon";
import { enter, readToken, session } from "./session";
import { useSignal } from "./signal";
import { text } from "./texts";

/** The way in, and why one is here again. */
export function SignIn() {
  const now = useSignal(session);
  const [wrong, setWrong] = useState(false);
  const submit = (form: FormData) => {
    const token = readToken(String(form.get("token")));
    setWrong(!token);
    if (token) enter(token);
  };
  const why = now.token === null ? now.why : "none";
  return (
    <main className="sign-in" id="content">
      <form action={submit}>
        <Icon name="brand" />
        <h1>{text.product}</h1>
        <p role="status">
          {why === "expired" && <strong className="warned">{text.sessionExpired}</strong>}
          {why === "left" && text.signedOut}
        </p>
        <label htmlFor="token">{text.token}</label>
        <input
          id="token"
          name="token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          required
          aria-invalid={wrong}
          aria-describedby={wrong ? "token-wrong token-hint" : "token-hint"}
        />
        {wrong && (
          <p className="fault" id="token-wrong" role="alert">
            {text.tokenBad}
          </p>
        )}
        <p className="hint" id="token-hint">
          {text.signInHint}
        </p>
        <button type="submit" className="primary">
          {text.signIn}
        </button>
        <p className="hint">
          {text.tokenHelp} <code>python main.py token --user UUID</code>
        </p>
      </form>
    </main>
  );
}
