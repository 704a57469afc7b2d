/** Which jobs of the list are wanted, as core/playerscore/wanted.py decides it, and in which order. */

import type { Job } from "playerscore-client";
import { texts } from "./texts.ts";

export type Column = "id" | "player" | "step" | "score";

export function wanted(job: Job, query: URLSearchParams): boolean {
  const [step, player, least] = [query.get("step"), query.get("player"), query.get("minScore")];
  if (step !== null && job.progress.step !== step) return false;
  if (least !== null && (job.result === null || job.result.overallScore < Number(least))) return false;
  if (player === null) return true;
  const text = player.toLowerCase();
  const named = (job.displayName ?? "").toLowerCase().includes(text) || job.id.includes(text);
  return named || String(job.player_ref?.track_id ?? "") === player;
}

const STEPS = Object.keys(texts.steps);
const place: Record<Column, (job: Job) => number> = {
  id: () => 0,
  player: (job) => job.player_ref?.track_id ?? Infinity,
  step: (job) => STEPS.indexOf(job.progress.step),
  score: (job) => job.result?.overallScore ?? -1,
};
const names = new Intl.Collator("en", { numeric: true });

export function sorted(jobs: Job[], query: URLSearchParams): Job[] {
  const column = (query.get("sort") ?? "id") as Column;
  const by = place[column] ?? place.id;
  const down = query.get("down") === "1" ? -1 : 1;
  return jobs.sort((a, b) => {
    const [left, right] = [by(a), by(b)];
    return down * (left === right ? names.compare(a.id, b.id) : left < right ? -1 : 1);
  });
}
