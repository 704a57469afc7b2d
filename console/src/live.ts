/** What is kept up to date by the API's event streams: the jobs of a namespace, and one job. */

import { signal, type Signal } from "@preact/signals";
import { ApiError, watch, watchAll, type Job } from "playerscore-client";
import { useEffect, useState } from "preact/hooks";
import { api, ask, connected, noticed, signedIn, token } from "./session.ts";

export const MOST = 1000;
const PAGE = 500;

export interface Jobs {
  items: Map<string, Job>;
  more: boolean;
  loaded: boolean;
  error: unknown;
}

const newer = (a: Job, b: Job | undefined): boolean =>
  b === undefined || BigInt(a.resourceVersion || 0) >= BigInt(b.resourceVersion || 0);

/** All jobs of the namespace, at most `MOST`, as they are now. */
export function useJobs(namespace: string | undefined): Signal<Jobs> {
  const [jobs] = useState(() => signal<Jobs>({ items: new Map(), more: false, loaded: false, error: undefined }));
  const bearer = token.value;
  useEffect(() => {
    const stop = new AbortController();
    jobs.value = { items: new Map(), more: false, loaded: false, error: undefined };
    void follow(namespace, jobs, stop.signal);
    return () => stop.abort();
  }, [namespace, bearer]);
  return jobs;
}

async function follow(namespace: string | undefined, jobs: Signal<Jobs>, stop: AbortSignal): Promise<void> {
  const gone = new Map<string, Job>();
  const put = (job: Job): void => {
    if (!newer(job, jobs.peek().items.get(job.id)) || (gone.has(job.id) && !newer(job, gone.get(job.id)))) return;
    jobs.value = { ...jobs.peek(), items: new Map(jobs.peek().items).set(job.id, job) };
  };
  const opened = (): void => {
    connected.value = true;
    gone.clear();
    list(namespace, stop).then(
      ({ items, more }) => {
        const known = jobs.peek().items;
        const fresh = new Map(items.map((job) => [job.id, job]));
        // What a stream has told since the list was read is newer than the list.
        for (const job of known.values()) {
          const listed = fresh.get(job.id);
          if (listed !== undefined && !newer(listed, job)) fresh.set(job.id, job);
        }
        for (const [id, job] of gone) {
          const listed = fresh.get(id);
          if (listed !== undefined && !newer(listed, job)) fresh.delete(id);
        }
        jobs.value = { items: fresh, more, loaded: true, error: undefined };
      },
      (error: unknown) => {
        if (!stop.aborted) jobs.value = { ...jobs.peek(), error: noticed(error) };
      },
    );
  };
  const how = { signal: stop, connected: (is: boolean) => (is ? opened() : (connected.value = false)) };
  try {
    for await (const event of watchAll(api.peek(), namespace === undefined ? how : { ...how, namespace })) {
      if (event.event === "job") put(event.data);
      else {
        gone.set(event.data.id, event.data);
        const items = new Map(jobs.peek().items);
        items.delete(event.data.id);
        jobs.value = { ...jobs.peek(), items };
      }
    }
  } catch (error) {
    if (!stop.aborted) jobs.value = { ...jobs.peek(), error: noticed(error) };
  }
}

async function list(namespace: string | undefined, stop: AbortSignal): Promise<{ items: Job[]; more: boolean }> {
  const items: Job[] = [];
  let next: string | null = null;
  do {
    const query = {
      limit: PAGE,
      ...(namespace === undefined ? {} : { namespace }),
      ...(next === null ? {} : { continue: next }),
    };
    const page: { items: Job[]; next: string | null } = await ask(
      api.peek().GET("/jobs", { params: { query }, signal: stop }),
    );
    items.push(...page.items);
    next = page.next;
  } while (next !== null && items.length < MOST);
  return { items, more: next !== null };
}

export interface One {
  job?: Job;
  deleted: boolean;
  error: unknown;
}

/** One job, as it is now. `set` takes what a step answered, so that the page need not wait for the stream. */
export function useJob(namespace: string | undefined, id: string): { one: One; set: (job: Job) => void } {
  const [one, change] = useState<One>({ deleted: false, error: undefined });
  const bearer = token.value;
  const set = (job: Job): void =>
    change((old) => (newer(job, old.job) ? { job, deleted: false, error: undefined } : old));
  useEffect(() => {
    const stop = new AbortController();
    const how = {
      ...(namespace === undefined ? {} : { namespace }),
      signal: stop.signal,
      connected: (is: boolean) => (connected.value = is),
    };
    const run = async (): Promise<void> => {
      for await (const event of watch(api.peek(), id, how)) {
        if (event.event === "job" || event.event === "end") set(event.data);
        else if (event.event === "deleted") change((old) => ({ ...old, deleted: true }));
      }
    };
    run().catch((error: unknown) => {
      if (stop.signal.aborted) return;
      noticed(error);
      const gone = error instanceof ApiError && error.status === 401;
      if (!gone) change((old) => ({ ...old, error }));
      else void signedIn();
    });
    return () => stop.abort();
  }, [namespace, id, bearer]);
  return { one, set };
}
