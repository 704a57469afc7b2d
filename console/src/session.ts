/** Who is signed in, and the one way to the API: the generated client. The token is in memory only. */

import { computed, signal } from "@preact/signals";
import { ApiError, connect, done, type Api, type Schemas } from "playerscore-client";

/** Where the API is: the folder that holds this page's own. */
export const base = new URL("..", document.baseURI).href.replace(/\/$/, "");

export type Standing = "asking" | "out" | "in" | "expired" | "unreachable";

export const token = signal<string | undefined>(undefined);
export const standing = signal<Standing>("asking");
/** Whether what is shown is kept up to date by a stream. */
export const connected = signal(true);
export const api = computed<Api>(() => connect(base, token.value));

const waiting: (() => void)[] = [];

/** The token that `kubectl scoring console` put into the address, which it is taken out of at once. */
export function tokenOfAddress(): string | undefined {
  const found = /^#token=([^&]+)/.exec(location.hash)?.[1];
  if (found === undefined) return undefined;
  const rest = /&to=(.*)$/.exec(location.hash)?.[1] ?? "/";
  history.replaceState(null, "", `#${decodeURIComponent(rest)}`);
  return decodeURIComponent(found);
}

/** Tries what there is: a token, or a proxy in front that brings one. Throws what else is wrong. */
export async function signIn(given: string | undefined): Promise<void> {
  const tried = connect(base, given);
  const { error, response } = await tried.GET("/jobs", { params: { query: { limit: 1 } } });
  if (error !== undefined && (response.status === 401 || response.status >= 500)) {
    throw new ApiError(response.status, error.error);
  }
  token.value = given;
  standing.value = "in";
  for (const go of waiting.splice(0)) go();
}

export function signOut(): void {
  token.value = undefined;
  standing.value = "out";
}

/** Resolves when somebody is signed in again. */
export function signedIn(): Promise<void> {
  return standing.value === "in" ? Promise.resolve() : new Promise((go) => waiting.push(go));
}

/** Notices that the token is no longer taken; the page stays as it is. */
export function noticed(error: unknown): unknown {
  if (error instanceof ApiError && error.status === 401 && standing.value === "in") standing.value = "expired";
  return error;
}

/** The data of an answer. Throws ApiError for a refusal, TypeError where nobody answers. */
export async function ask<Data>(
  answer: Promise<{ data?: Data; error?: Schemas["ErrorAnswer"]; response: Response }>,
): Promise<NonNullable<Data>> {
  try {
    return await done(answer);
  } catch (error) {
    throw noticed(error);
  }
}
