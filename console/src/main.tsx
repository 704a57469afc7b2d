/** The page: who is signed in, which page is shown, and what holds for all of them. */

import { effect } from "@preact/signals";
import { ApiError } from "playerscore-client";
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Compare } from "./compare.tsx";
import { JobPage } from "./job.tsx";
import { JobsPage } from "./jobs.tsx";
import { address, follow, route } from "./route.ts";
import { connected, signIn, signOut, standing, token, tokenOfAddress } from "./session.ts";
import { texts } from "./texts.ts";
import { Problem } from "./parts.tsx";
import { uploads } from "./uploads.ts";

const RETRY_MS = 3000;

/** Looks who is there: the address' token, else a proxy's. Again while nobody answers. */
async function look(given: string | undefined): Promise<void> {
  try {
    await signIn(given);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) {
      standing.value = "out";
      return;
    }
    standing.value = "unreachable";
    setTimeout(() => void look(given), RETRY_MS);
  }
}

function SignIn({ again }: { again: boolean }) {
  const [error, setError] = useState<unknown>(undefined);
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const given = String(new FormData(event.target as HTMLFormElement).get("token")).trim();
    setBusy(true);
    try {
      await signIn(given);
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  const refused = error instanceof ApiError && error.status === 401;
  return (
    <article class="sign-in">
      <h1 id="sign-in">{again ? texts.signIn.expired : texts.signIn.title}</h1>
      <p>{again ? texts.signIn.expiredLead : texts.signIn.lead}</p>
      <form onSubmit={(event) => void submit(event as unknown as SubmitEvent)}>
        <label>
          {texts.signIn.token}
          <input
            name="token"
            type="password"
            autocomplete="off"
            required
            autofocus
            spellcheck={false}
            aria-describedby="token-help"
            aria-invalid={refused ? "true" : undefined}
          />
          <small id="token-help">{refused ? texts.signIn.refused : texts.signIn.tokenHelp}</small>
        </label>
        <button aria-busy={busy}>{texts.signIn.go}</button>
      </form>
      {again && token.value === undefined && (
        <button class="secondary" onClick={() => location.reload()}>
          {texts.signIn.reload}
        </button>
      )}
      {!refused && <Problem error={error} />}
    </article>
  );
}

/** In front of a page that stays as it is. */
function SignInAgain() {
  const open = (dialog: HTMLDialogElement | null): void => {
    if (dialog !== null && !dialog.open) dialog.showModal();
  };
  return (
    <dialog ref={open} aria-labelledby="sign-in" onCancel={(event) => event.preventDefault()}>
      <SignIn again />
    </dialog>
  );
}

function Connection() {
  const [mended, setMended] = useState(false);
  const is = connected.value;
  useEffect(() => {
    if (!is) return () => setMended(true);
    const timer = setTimeout(() => setMended(false), 4000);
    return () => clearTimeout(timer);
  }, [is]);
  const text = !is ? texts.connection.broken : mended ? texts.connection.mended : texts.connection.live;
  return (
    <span class={`connection ${is ? "" : "broken"}`} role="status">
      {text}
    </span>
  );
}

function Header() {
  const { namespace } = route.value;
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const name = String(new FormData(event.target as HTMLFormElement).get("namespace")).trim();
    location.hash = address(name === "" ? undefined : name);
  };
  return (
    <header class="container top">
      <nav aria-label={texts.title}>
        <ul>
          <li>
            <button class="skip" onClick={() => document.getElementById("main")?.focus()}>
              {texts.skip}
            </button>
            <a href={address(namespace)}>
              <strong>{texts.title}</strong>
            </a>
          </li>
        </ul>
        <ul>
          <li>
            <Connection />
          </li>
          <li>
            <form class="namespace" onSubmit={(event) => submit(event as unknown as SubmitEvent)}>
              <input
                name="namespace"
                aria-label={texts.namespace}
                placeholder={texts.namespaceDefault}
                key={namespace ?? ""}
                defaultValue={namespace ?? ""}
                pattern="[a-z0-9]([-a-z0-9]*[a-z0-9])?"
                maxLength={63}
              />
            </form>
          </li>
          <li>
            {token.value === undefined ? (
              <small>{texts.signIn.proxied}</small>
            ) : (
              <button class="outline secondary small" onClick={signOut}>
                {texts.signIn.out}
              </button>
            )}
          </li>
        </ul>
      </nav>
    </header>
  );
}

function Page() {
  const { namespace, job, other } = route.value;
  if (job === undefined) return <JobsPage namespace={namespace} />;
  if (other !== undefined) return <Compare namespace={namespace} first={job} second={other} />;
  return <JobPage key={job} namespace={namespace} id={job} />;
}

function App() {
  const now = standing.value;
  if (now === "asking") return <main class="container" aria-busy="true">{texts.signIn.asking}</main>;
  if (now === "unreachable") return <main class="container"><p role="alert">{texts.signIn.unreachable}</p></main>;
  if (now === "out") return <main class="container"><SignIn again={false} /></main>;
  return (
    <>
      <Header />
      <main id="main" class="container" tabIndex={-1}>
        <Page />
      </main>
      {now === "expired" && <SignInAgain />}
    </>
  );
}

const given = tokenOfAddress();
follow();
effect(() => {
  const { job, other } = route.value;
  document.title = [...[job, other].filter((name) => name !== undefined), texts.title].join(" · ");
});
addEventListener("beforeunload", (event) => {
  if (uploads.value.some((one) => one.state === "sending" || one.state === "waiting")) event.preventDefault();
});
render(<App />, document.getElementById("app")!);
void look(given);
