/** Why a job stands where it stands: the one condition that tells most, in words for people. */

import type { Job, Schemas } from "playerscore-client";
import { codes, texts } from "./texts.ts";

type Condition = Schemas["Condition"];

export interface Reason {
  code: string;
  text: string;
  /** What somebody can do about it; empty where nothing has to be done. */
  todo: string;
  /** The words of scheduler, queue or pod. */
  detail: string;
}

const of = (job: Job, type: string): Condition | undefined => job.conditions.find((one) => one.type === type);

/** The condition that says why it waits; undefined before the operator has looked. */
export function telling(job: Job): Condition | undefined {
  const stalled = of(job, "Stalled");
  if (stalled?.status === "True") return stalled;
  const reconciling = of(job, "Reconciling");
  if (reconciling?.status === "True") return reconciling;
  switch (job.progress.step) {
    case "EXTRACTING_PREVIEW":
      return of(job, "PreviewReady");
    case "COMPLETED":
    case "FAILED":
      return of(job, "Succeeded");
    case "QUEUED": {
      const [admitted, running] = [of(job, "Admitted"), of(job, "Running")];
      return admitted?.status === "True" ? running : admitted;
    }
    default:
      return of(job, "Running");
  }
}

export function why(job: Job): Reason {
  const found = telling(job);
  const code = found?.reason ?? "NotSeen";
  const known = codes[code];
  return {
    code,
    text: known?.[0] ?? texts.reasons[code] ?? code,
    todo: known?.[1] ?? "",
    detail: found?.message ?? "",
  };
}

/** Whether a person stopped it after it had been enqueued, or a draft was never started. */
export const isPaused = (job: Job): boolean => of(job, "Admitted")?.reason === "Suspended";
