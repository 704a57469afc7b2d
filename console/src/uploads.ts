/**
 * Videos on their way: in parts, so that what breaks goes on where it was, also after the page was closed.
 *
 * What was begun is remembered by the file's name, size and time of change; the API says which parts are missing, and
 * nothing is trusted from before. Uploads go on while other pages are looked at.
 */

import { signal } from "@preact/signals";
import { ApiError, type Job, type Schemas } from "playerscore-client";
import { noted, rate, remaining, type Sample } from "./estimate.ts";
import { idOf, safeName } from "./format.ts";
import { api, ask, noticed, signedIn, token } from "./session.ts";

export interface Upload {
  key: string;
  name: string;
  namespace: string | undefined;
  bytes: number;
  sent: number;
  samples: Sample[];
  state: "sending" | "waiting" | "arrived" | "creating" | "done" | "failed";
  error?: unknown;
  job?: Job;
}

export const uploads = signal<Upload[]>([]);

/** Files that are one match, in their order, and where those are that have arrived. */
interface Match {
  keys: string[];
  uris: Map<string, string>;
}

interface Running {
  file: File;
  id: string;
  stop: AbortController;
  match: Match;
}
const running = new Map<string, Running>();

/** An upload that an earlier page began. */
export interface Begun {
  key: string;
  name: string;
  /** The API's own address of it. */
  url: string;
  uri: string;
}

const MEMORY = "playerscore.uploads";

/** Those that were begun and not ended, of a namespace. A browser that keeps nothing has none. */
export function begun(namespace: string | undefined): Begun[] {
  return remembered().filter((one) => one.key.startsWith(`${namespace ?? ""}|`) && !running.has(one.key));
}

function remembered(): Begun[] {
  try {
    return JSON.parse(localStorage.getItem(MEMORY) ?? "[]") as Begun[];
  } catch {
    return [];
  }
}

function remember(all: Begun[]): void {
  try {
    localStorage.setItem(MEMORY, JSON.stringify(all.slice(-20)));
  } catch {
    // Without a memory an upload is only not taken up again after a reload.
  }
}

export const forget = (key: string): void => remember(remembered().filter((one) => one.key !== key));

const change = (key: string, how: (old: Upload) => Partial<Upload>): void => {
  uploads.value = uploads.value.map((one) => (one.key === key ? { ...one, ...how(one) } : one));
};

export const speed = (one: Upload): number => rate(one.samples) * one.bytes;
export const left = (one: Upload, now: number): number | undefined => remaining(one.samples, now);

/**
 * Upload the files and create one job of them, in their order. Its id is like the first one's name, with a number after
 * it where that is taken.
 */
export function begin(namespace: string | undefined, files: File[]): void {
  const keyOf = (file: File): string => `${namespace ?? ""}|${file.name}|${file.size}|${file.lastModified}`;
  const fresh = files.filter((file) => !running.has(keyOf(file)));
  const match: Match = { keys: fresh.map(keyOf), uris: new Map() };
  const rows = fresh.map(
    (file): Upload => ({ key: keyOf(file), name: file.name, namespace, bytes: file.size, sent: 0, samples: [], state: "sending" }),
  );
  uploads.value = [...rows, ...uploads.value.filter((one) => !match.keys.includes(one.key))];
  for (const file of fresh) {
    running.set(keyOf(file), { file, id: idOf(fresh[0]!.name), stop: new AbortController(), match });
    void run(keyOf(file));
  }
}

/** Whether the job is called after this upload: of several files the first. */
export const leads = (key: string): boolean => (running.get(key)?.match.keys[0] ?? key) === key;

export function rename(key: string, id: string): void {
  const one = running.get(key);
  if (one !== undefined) one.id = id;
}
export const idFor = (key: string): string => running.get(key)?.id ?? "";

export function again(key: string): void {
  const one = running.get(key);
  if (one === undefined) return;
  one.stop = new AbortController();
  change(key, () => ({ state: "sending", error: undefined }));
  void run(key);
}

/** Stops it and throws away what has arrived. */
export async function cancel(key: string): Promise<void> {
  const where = remembered().find((one) => one.key === key);
  const one = running.get(key);
  one?.stop.abort();
  running.delete(key);
  if (one !== undefined) {
    // The others go on as the match without it.
    one.match.keys = one.match.keys.filter((other) => other !== key);
    one.match.uris.delete(key);
    void made(one.match);
  }
  uploads.value = uploads.value.filter((one) => one.key !== key);
  forget(key);
  if (where !== undefined) await api.value.DELETE("/uploads/{namespace}/{name}", { params: { path: addressed(where.url) } });
}

async function run(key: string): Promise<void> {
  const { file, stop } = running.get(key)!;
  const namespace = uploads.value.find((one) => one.key === key)?.namespace;
  try {
    const uri = await sendAll(key, namespace, file, stop.signal);
    const { match } = running.get(key)!;
    match.uris.set(key, uri);
    change(key, () => ({ state: "arrived" }));
    await made(match);
  } catch (error) {
    if (!stop.signal.aborted) change(key, () => ({ state: "failed", error: noticed(error) }));
  }
}

/** The job, once all its files have arrived. */
async function made(match: Match): Promise<void> {
  const [first] = match.keys;
  const uris = match.keys.map((key) => match.uris.get(key));
  if (first === undefined || !uris.every((uri) => uri !== undefined)) return;
  const all = (how: Partial<Upload>): void => match.keys.forEach((key) => change(key, () => how));
  all({ state: "creating" });
  try {
    const job = await create(uploads.value.find((one) => one.key === first)?.namespace, uris, running.get(first)!.id);
    for (const key of match.keys) {
      forget(key);
      running.delete(key);
    }
    all({ state: "done", job });
  } catch (error) {
    all({ state: "arrived" });
    change(first, () => ({ state: "failed", error: noticed(error) }));
  }
}

async function sendAll(key: string, namespace: string | undefined, file: File, stop: AbortSignal): Promise<string> {
  let { url, state } = (await resumed(key, stop)) ?? (await opened(key, namespace, file, stop));
  while (!state.finished) {
    const path = addressed(url);
    const before = arrived(state);
    tell(key, file, before);
    let sent = before;
    for (const part of state.missing) {
      const begin = (part.number - 1) * state.part_bytes;
      const piece = file.slice(begin, begin + part.bytes);
      await patiently(key, stop, () => put(part, piece, stop, (bytes) => tell(key, file, sent + bytes)));
      sent += part.bytes;
    }
    const end = state.missing.length === 0 || state.parts <= SHOWN;
    state = await patiently(key, stop, () =>
      ask(
        end
          ? api.value.POST("/uploads/{namespace}/{name}/complete", { params: { path } })
          : api.value.GET("/uploads/{namespace}/{name}", { params: { path } }),
      ),
    );
  }
  tell(key, file, file.size);
  return state.uri;
}

/** The API lists so many missing parts at once. */
const SHOWN = 100;

function arrived(state: Schemas["UploadState"]): number {
  if (state.parts > SHOWN) {
    const first = state.missing[0]?.number ?? state.parts + 1;
    return Math.min(state.bytes, (first - 1) * state.part_bytes);
  }
  return state.bytes - state.missing.reduce((sum, part) => sum + part.bytes, 0);
}

function tell(key: string, file: File, sent: number): void {
  const share = file.size === 0 ? 1 : sent / file.size;
  change(key, (old) => ({ sent, state: "sending", samples: noted(old.samples, { at: Date.now(), share }) }));
}

interface Going {
  url: string;
  state: Schemas["UploadState"];
}

async function opened(key: string, namespace: string | undefined, file: File, stop: AbortSignal): Promise<Going> {
  const query = namespace === undefined ? {} : { namespace };
  const body = { filename: safeName(file.name), bytes: file.size, multipart: true };
  const answer = await patiently(key, stop, () => ask(api.value.POST("/uploads", { params: { query }, body })));
  remember([...remembered().filter((one) => one.key !== key), { key, name: file.name, url: answer.url, uri: answer.uri }]);
  return { url: answer.url, state: answer.multipart! };
}

async function resumed(key: string, stop: AbortSignal): Promise<Going | undefined> {
  const known = remembered().find((one) => one.key === key);
  if (known === undefined) return undefined;
  try {
    const params = { path: addressed(known.url) };
    const state = await patiently(key, stop, () => ask(api.value.GET("/uploads/{namespace}/{name}", { params })));
    return { url: known.url, state };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** Namespace and name out of an upload's own address. */
function addressed(url: string): { namespace: string; name: string } {
  const [name = "", namespace = ""] = url.split("/").reverse();
  return { namespace, name };
}

/** Tries again while the connection is away, the API asks for patience, or somebody has to sign in. */
async function patiently<T>(key: string, stop: AbortSignal, what: () => Promise<T>): Promise<T> {
  for (let pause = 1000; ; pause = Math.min(pause * 2, 15_000)) {
    try {
      return await what();
    } catch (error) {
      if (stop.aborted) throw error;
      const status = error instanceof ApiError ? error.status : 0;
      if (status === 401) {
        noticed(error);
        await signedIn();
      } else if (status === 0 || status === 429 || status >= 500) {
        change(key, () => ({ state: "waiting" }));
        await new Promise((go) => setTimeout(go, pause));
      } else throw error;
    }
  }
}

/** One part to the address that the API gave: its own, or the store's, which gets no token. fetch tells no progress. */
function put(part: Schemas["Part"], body: Blob, stop: AbortSignal, progress: (bytes: number) => void): Promise<void> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    const url = new URL(part.url, location.href);
    request.open(part.method, url);
    if (url.origin === location.origin && token.value !== undefined) {
      request.setRequestHeader("Authorization", `Bearer ${token.value}`);
    }
    for (const [name, value] of Object.entries(part.headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onload = () => (request.status < 300 ? done() : failed(refused(request)));
    request.onerror = () => failed(new TypeError("the connection broke"));
    request.onabort = () => failed(new DOMException("stopped", "AbortError"));
    stop.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}

function refused(request: XMLHttpRequest): ApiError {
  try {
    return new ApiError(request.status, (JSON.parse(request.responseText) as Schemas["ErrorAnswer"]).error);
  } catch {
    return new ApiError(request.status, { code: "STORE_UNAVAILABLE", message: `${request.status} ${request.statusText}` });
  }
}

const NAMES = 30;

/** A job of that video. An id that is taken gets a number; the address of the video makes a repeat harmless. */
export async function create(namespace: string | undefined, uris: string[], id: string): Promise<Job> {
  const [uri = "", ...more] = uris;
  const video = more.length === 0 ? { uri } : { uri, parts: more.map((part) => ({ uri: part })) };
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? id : `${id}-${number}`;
    const params = {
      query: namespace === undefined ? {} : { namespace },
      header: { "idempotency-key": `${uri} ${name}`.slice(-200) },
    };
    try {
      return await ask(api.value.POST("/jobs", { params, body: { id: name, video } }));
    } catch (error) {
      const taken = error instanceof ApiError && error.refusal.code === "ALREADY_EXISTS";
      if (!taken || number === NAMES) throw error;
    }
  }
}
