/** What several pages are made of. */

import { ApiError, type Schemas } from "playerscore-client";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { api, ask } from "./session.ts";
import { codes, texts } from "./texts.ts";

/** A failure in the catalogue's words, then in the API's own. */
export function Problem({ error, again, close }: { error: unknown; again?: () => void; close?: () => void }) {
  if (error === undefined) return null;
  const refusal = error instanceof ApiError ? error.refusal : undefined;
  const known = refusal && codes[refusal.code];
  const first = refusal ? (known?.[0] ?? refusal.message) : error instanceof TypeError ? texts.errors.network : texts.errors.unexpected;
  const todo = refusal ? known?.[1] : error instanceof TypeError ? texts.errors.networkTodo : String(error);
  return (
    <div class="problem" role="alert">
      <p>
        <strong>{first}</strong> {todo}
      </p>
      {refusal && (
        <p class="small">
          <code>{refusal.code}</code> {refusal.message}
        </p>
      )}
      {refusal?.missing && refusal.missing.length > 0 && <p>{texts.errors.missing(refusal.missing.join(", "))}</p>}
      {refusal?.problems && (
        <ul>
          {refusal.problems.map((one) => (
            <li key={one.field}>
              <code>{one.field}</code> {one.message}
            </li>
          ))}
        </ul>
      )}
      {again && (
        <button class="secondary small" onClick={again}>
          {texts.errors.retry}
        </button>
      )}
      {close && (
        <button class="secondary outline small" onClick={close}>
          {texts.errors.dismiss}
        </button>
      )}
    </div>
  );
}

/** A question in front of everything else; Escape is the same as `no`. */
export function Question(props: {
  title: string;
  text: string;
  yes: string;
  no: string;
  onYes: () => void;
  onNo: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="question" onCancel={props.onNo} onClose={props.onNo}>
      <article>
        <h2 id="question">{props.title}</h2>
        <p>{props.text}</p>
        <footer>
          <button class="secondary" autofocus onClick={props.onNo}>
            {props.no}
          </button>
          <button class="danger" onClick={props.onYes}>
            {props.yes}
          </button>
        </footer>
      </article>
    </dialog>
  );
}

/** What `load` gives, again whenever `keys` change. */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>, keys: unknown[]): {
  value: T | undefined;
  error: unknown;
  again: () => void;
} {
  const [found, setFound] = useState<{ value?: T; error?: unknown }>({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    load(stop.signal).then(
      (value) => stop.signal.aborted || setFound({ value }),
      (error: unknown) => stop.signal.aborted || setFound((old) => ({ ...old, error })),
    );
    return () => stop.abort();
  }, [...keys, turn]);
  return { value: found.value, error: found.error, again: () => setTurn(turn + 1) };
}

const kept = new Map<string, Promise<string>>();
const KEPT = 64;

/** An address for a picture or clip that wants the token: fetched once, shown as a blob. */
function fetched(key: string, load: () => Promise<Blob>): Promise<string> {
  const old = kept.get(key);
  if (old !== undefined) return old;
  const made = load().then((blob) => URL.createObjectURL(blob));
  kept.set(key, made);
  made.catch(() => kept.delete(key));
  const [oldest] = kept.keys();
  if (kept.size > KEPT && oldest !== undefined) {
    void kept.get(oldest)?.then((url) => URL.revokeObjectURL(url));
    kept.delete(oldest);
  }
  return made;
}

const place = (namespace: string, id: string) => ({ path: { job_id: id }, query: { namespace } });

/** `version` is what tells this job from another of the same name: its preview's digest. */
export function frame(namespace: string, id: string, number: number, version: string): Promise<string> {
  const { path, query } = place(namespace, id);
  const load = () =>
    ask(
      api.value.GET("/jobs/{job_id}/frames/{number}", {
        params: { path: { ...path, number }, query },
        parseAs: "blob",
      }),
    );
  return fetched(`${namespace}/${id}/frames/${number}/${version}`, load as () => Promise<Blob>);
}

export async function artifact(namespace: string, id: string, name: string): Promise<Blob> {
  const { path, query } = place(namespace, id);
  const got = ask(
    api.value.GET("/jobs/{job_id}/artifacts/{name}", { params: { path: { ...path, name }, query }, parseAs: "blob" }),
  );
  return (await got) as unknown as Blob;
}

export function artifactUrl(namespace: string, id: string, name: string, version: string): Promise<string> {
  return fetched(`${namespace}/${id}/artifacts/${name}/${version}`, () => artifact(namespace, id, name));
}

/** Gives a file to the person. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A part of the page with a heading that names it. */
export function Section(props: { title: string; id: string; class?: string; children: ComponentChildren }): JSX.Element {
  return (
    <section aria-labelledby={props.id} class={props.class}>
      <h2 id={props.id}>{props.title}</h2>
      {props.children}
    </section>
  );
}

/** Five axes, one or two shapes. The table beside it says the same in words. */
export function Radar({ shapes, label }: { shapes: Schemas["Radar"][]; label: string }) {
  const axes = Object.keys(texts.result.axes) as (keyof Schemas["Radar"])[];
  const at = (index: number, value: number): [number, number] => {
    const angle = (index / axes.length) * 2 * Math.PI - Math.PI / 2;
    return [160 + value * Math.cos(angle), 130 + value * Math.sin(angle)];
  };
  const ring = (value: (axis: keyof Schemas["Radar"]) => number): string =>
    axes.map((axis, index) => at(index, value(axis)).map((part) => part.toFixed(1)).join(",")).join(" ");
  return (
    <svg class="radar" viewBox="0 0 320 260" role="img" aria-label={label}>
      {[25, 50, 75, 100].map((value) => (
        <polygon key={value} class="ring" points={ring(() => value * 0.9)} />
      ))}
      {shapes.map((shape, index) => (
        <polygon key={index} class={`shape shape-${index}`} points={ring((axis) => shape[axis] * 0.9)} />
      ))}
      {axes.map((axis, index) => {
        const [x, y] = at(index, 106);
        const anchor = x > 175 ? "start" : x < 145 ? "end" : "middle";
        return (
          <text key={axis} x={x} y={y} text-anchor={anchor}>
            {texts.result.axes[axis]}
            <tspan x={x} dy="1.1em">
              {shapes.map((shape) => shape[axis]).join(" / ")}
            </tspan>
          </text>
        );
      })}
    </svg>
  );
}
