/** Which page: `#/NAMESPACE`, `#/NAMESPACE/JOB`, `#/NAMESPACE/JOB/with/JOB`, and what else the address keeps. */

import { signal } from "@preact/signals";

export interface Route {
  /** Undefined: the deployment's default. */
  namespace: string | undefined;
  job?: string;
  other?: string;
  query: URLSearchParams;
}

export const DEFAULT = "-";

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const [namespace, job, , other] = path.split("/").filter(Boolean).map(decodeURIComponent);
  return {
    namespace: namespace === undefined || namespace === DEFAULT ? undefined : namespace,
    ...(job === undefined ? {} : { job }),
    ...(other === undefined ? {} : { other }),
    query: new URLSearchParams(query),
  };
}

export function address(namespace: string | undefined, job?: string, other?: string, query?: URLSearchParams): string {
  const parts = [namespace ?? DEFAULT, ...(job === undefined ? [] : [job])];
  if (other !== undefined) parts.push("with", other);
  const more = query?.toString();
  return `#/${parts.map(encodeURIComponent).join("/")}${more ? `?${more}` : ""}`;
}

export const route = signal<Route>(parse(""));
export const follow = (): void => {
  addEventListener("hashchange", () => (route.value = parse(location.hash)));
  route.value = parse(location.hash);
};
