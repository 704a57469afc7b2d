/** The API with types: requests and answers by openapi-fetch, and the one thing it does not know, events. */

import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type Schemas = components["schemas"];
export type Job = Schemas["Job"];
export type Refusal = Schemas["Refusal"];
export type Api = Client<paths>;

/** An event of a job: the whole job, a part of it that changed, its end, or why the stream broke. */
export type JobEvent =
  | { event: "job" | "end"; id: string; data: Job }
  | { event: "step"; id: string; data: { step: Schemas["Step"]; message: string | null } }
  | { event: "percent"; id: string; data: { percent: number } }
  | { event: "conditions"; id: string; data: Schemas["Condition"][] }
  | { event: "result"; id: string; data: Schemas["Result"] }
  | { event: "deleted"; id: string; data: Record<string, never> }
  | { event: "error"; id: string; data: Schemas["ErrorAnswer"] };

/** A refusal as an exception: programs look at `refusal.code`. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly refusal: Refusal,
  ) {
    super(`${refusal.code}: ${refusal.message}`);
  }
}

/** Without a token where an authenticating proxy puts one into the header. */
export function connect(baseUrl: string, token?: string): Api {
  return createClient<paths>({ baseUrl, headers: token === undefined ? {} : { Authorization: `Bearer ${token}` } });
}

/** The data of an answer; throws ApiError for a refusal. */
export async function done<Data>(
  answer: Promise<{ data?: Data; error?: Schemas["ErrorAnswer"]; response: Response }>,
): Promise<NonNullable<Data>> {
  const { data, error, response } = await answer;
  if (error !== undefined) throw new ApiError(response.status, error.error);
  return data as NonNullable<Data>;
}

export interface Watching {
  namespace?: string;
  signal?: AbortSignal;
  /** Between two tries; doubled, up to half a minute, while they fail. */
  pauseMs?: number;
  /** Whoever asks for it is told when the connection is there and when it is broken, and it is tried for ever. */
  connected?: (is: boolean) => void;
}

/** A job's events until its end. Reconnects with the last id when the stream breaks, so that none is missed. */
export async function* watch(api: Api, job_id: string, how: Watching = {}): AsyncGenerator<JobEvent> {
  let last: string | undefined;
  const open = () =>
    api.GET("/jobs/{job_id}/events", {
      params: {
        path: { job_id },
        query: how.namespace === undefined ? {} : { namespace: how.namespace },
        header: last === undefined ? {} : { "last-event-id": last },
      },
      parseAs: "stream",
      ...(how.signal === undefined ? {} : { signal: how.signal }),
    });
  for await (const event of again(open, how)) {
    last = event.id || last;
    yield event as JobEvent;
    if (event.event === "end" || event.event === "deleted") return;
  }
}

/** What happens to the jobs of a namespace. `deleted` has the job as it was last. */
export interface JobsEvent {
  event: "job" | "deleted";
  id: string;
  data: Job;
}

/**
 * What happens from now on to the jobs of a namespace, for ever. Whenever `connected` is told true, read the list: a
 * change may have been missed before. Of each job, keep what has the higher resourceVersion.
 */
export async function* watchAll(api: Api, how: Watching = {}): AsyncGenerator<JobsEvent> {
  const open = () =>
    api.GET("/events", {
      params: { query: how.namespace === undefined ? {} : { namespace: how.namespace } },
      parseAs: "stream",
      ...(how.signal === undefined ? {} : { signal: how.signal }),
    });
  for await (const event of again(open, how)) yield event as JobsEvent;
}

interface Told {
  event: string;
  id: string;
  data: unknown;
}
interface Opened {
  data?: unknown;
  error?: Schemas["ErrorAnswer"];
  response: Response;
}

/** What a stream tells, opened again whenever it breaks. Throws ApiError when it is refused for good. */
async function* again(open: () => Promise<Opened>, how: Watching): AsyncGenerator<Told> {
  const pause = how.pauseMs ?? 1000;
  let failures = 0;
  while (!how.signal?.aborted) {
    try {
      const { data, error, response } = await open();
      if (error !== undefined) throw new ApiError(response.status, error.error);
      if (response.status === 204) return;
      how.connected?.(true);
      failures = 0;
      for await (const event of events(data as ReadableStream<Uint8Array>)) {
        if (event.event !== "error") yield event;
      }
    } catch (error) {
      if (how.signal?.aborted) return;
      const passing = !(error instanceof ApiError) || error.status === 429 || error.status >= 500;
      if (!passing || how.connected === undefined) throw error;
      how.connected(false);
      failures += 1;
    }
    await new Promise((resume) => setTimeout(resume, Math.min(30_000, pause * 2 ** Math.max(0, failures - 1))));
  }
}

/** A stream that says nothing for so long is dead: the API sends a comment every 15 s (at most 300). */
const SILENCE_MS = 45_000;

function silence(): { over: Promise<never>; stop: () => void } {
  let timer: ReturnType<typeof setTimeout>;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TypeError("the stream is silent")), SILENCE_MS);
  });
  return { over, stop: () => clearTimeout(timer) };
}

async function* events(stream: ReadableStream<Uint8Array>): AsyncGenerator<Told> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let id = "";
  try {
    for (;;) {
      const quiet = silence();
      const { done: over, value } = await Promise.race([reader.read(), quiet.over]).finally(quiet.stop);
      if (over) return;
      const blocks = (rest + decoder.decode(value, { stream: true })).replaceAll("\r\n", "\n").split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const field = (name: string): string | undefined =>
          block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        id = field("id") ?? id;
        const data = field("data");
        if (data !== undefined) yield { event: field("event") ?? "message", id, data: JSON.parse(data) };
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
