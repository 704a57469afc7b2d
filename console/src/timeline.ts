/** The followed way as a line of time, from `decisions.json` (core/playerscore/decisions.py has its schema). */

import type { Box } from "./geometry.ts";

export interface Decision {
  number: number;
  kind: "crossing" | "lost" | "found-again" | "declined";
  begin_sec: number;
  end_sec: number;
  backwards: boolean;
  reason?: string;
  certainty_before?: number;
  certainty_after?: number;
  margin?: number;
  chosen?: Box;
  rival?: Box;
  pictured: boolean;
}

export interface Log {
  version: number;
  width: number;
  height: number;
  begin_sec: number;
  end_sec: number;
  confirmed_sec: number;
  confirmed: Box;
  decisions: Decision[];
}

export type Kind = "supported" | "guessed" | "lost";
export interface Stretch {
  kind: Kind;
  begin: number;
  end: number;
  decision?: Decision;
}

/** How likely the answer is against the next best; undefined where nothing was weighed. */
export const likelihood = (decision: Decision): number | undefined =>
  decision.margin === undefined ? undefined : 1 / (1 + Math.exp(-decision.margin));

/** When it happens: a loss where it begins, a finding where it ends, the other way round where time runs back. */
export const moment = (decision: Decision): number =>
  (decision.kind === "found-again") !== decision.backwards ? decision.end_sec : decision.begin_sec;

/** All of the analysed time in stretches without gaps: lost wins over guessed, guessed over supported. */
export function stretches(log: Log): Stretch[] {
  const marks = new Set([log.begin_sec, log.end_sec]);
  const told = log.decisions.map((decision) => ({
    decision,
    kind: (decision.kind === "lost" ? "lost" : "guessed") as Kind,
    begin: Math.max(log.begin_sec, Math.min(decision.begin_sec, log.end_sec)),
    end: Math.max(log.begin_sec, Math.min(decision.end_sec, log.end_sec)),
  }));
  for (const one of told) marks.add(one.begin).add(one.end);
  const times = [...marks].sort((a, b) => a - b);
  const found: Stretch[] = [];
  for (const [index, begin] of times.slice(0, -1).entries()) {
    const end = times[index + 1]!;
    const over = told.filter((one) => one.begin <= begin && end <= one.end);
    const which = over.find((one) => one.kind === "lost") ?? over[0];
    const last = found.at(-1);
    if (last !== undefined && last.decision === which?.decision) last.end = end;
    else found.push({ begin, end, kind: which?.kind ?? "supported", ...(which ? { decision: which.decision } : {}) });
  }
  return found;
}

/** Seconds of each kind. */
export function totals(all: Stretch[]): Record<Kind, number> {
  const sums: Record<Kind, number> = { supported: 0, guessed: 0, lost: 0 };
  for (const one of all) sums[one.kind] += one.end - one.begin;
  return sums;
}

const CLIP_SEC = 30;

/** What part of the video the annotated clip shows, as worker/playerscore_worker/artifacts.py cuts it. */
export function clipRange(log: Log, length: number): { begin: number; end: number } {
  const latest = Math.max(log.begin_sec, log.end_sec - CLIP_SEC);
  const begin = Math.min(Math.max(log.confirmed_sec - CLIP_SEC / 3, log.begin_sec), latest);
  return { begin, end: begin + length };
}
