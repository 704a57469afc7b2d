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

export function connect(baseUrl: string, token: string): Api {
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
}

/** The data of an answer; throws ApiError for a refusal. */
export async function done<Data>(
  answer: Promise<{ data?: Data; error?: Schemas["ErrorAnswer"]; response: Response }>,
): Promise<NonNullable<Data>> {
  const { data, error, response } = await answer;
  if (error !== undefined) throw new ApiError(response.status, error.error);
  return data as NonNullable<Data>;
}

/** A job's events until its end. Reconnects with the last id when the stream breaks, so that none is missed. */
export async function* watch(api: Api, job_id: string, pauseMs = 1000): AsyncGenerator<JobEvent> {
  let last: string | undefined;
  for (;;) {
    const { data, error, response } = await api.GET("/jobs/{job_id}/events", {
      params: { path: { job_id }, header: last === undefined ? {} : { "last-event-id": last } },
      parseAs: "stream",
    });
    if (error !== undefined) throw new ApiError(response.status, error.error);
    if (response.status === 204) return;
    for await (const event of events(data as unknown as ReadableStream<Uint8Array>)) {
      last = event.id || last;
      if (event.event !== "error") yield event;
      if (event.event === "end" || event.event === "deleted") return;
    }
    await new Promise((resume) => setTimeout(resume, pauseMs));
  }
}

async function* events(stream: ReadableStream<Uint8Array>): AsyncGenerator<JobEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  let id = "";
  for await (const chunk of stream) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string): string | undefined =>
        block.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      id = field("id") ?? id;
      const data = field("data");
      if (data !== undefined) yield { event: field("event"), id, data: JSON.parse(data) } as JobEvent;
    }
  }
}
