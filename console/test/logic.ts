/** What is logic in the console, without a browser: `npm test`. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job } from "playerscore-client";
import { answersOf } from "../src/answers.ts";
import { noted, rate, remaining, type Sample } from "../src/estimate.ts";
import { about, clock, idOf, safeName, seconds, size, stretch } from "../src/format.ts";
import { between, inside, iou, neighbour } from "../src/geometry.ts";
import { address, parse } from "../src/route.ts";
import { clipRange, likelihood, moment, stretches, totals, type Decision, type Log } from "../src/timeline.ts";
import { sorted, wanted } from "../src/wanted.ts";
import { isPaused, why } from "../src/why.ts";

const job = (id: string, more: object = {}): Job =>
  ({
    id,
    namespace: "scoring",
    displayName: null,
    player_ref: null,
    target: null,
    progress: { step: "QUEUED", percent: null, message: null },
    result: null,
    conditions: [],
    resourceVersion: "1",
    ...more,
  }) as Job;
const condition = (type: string, status: string, reason: string, message = ""): object => ({ type, status, reason, message });

test("times and sizes read as people say them", () => {
  assert.deepEqual([0, 61.4, 3800, 3599.7].map((sec) => clock(sec)), ["0:00", "1:01", "1:03:20", "1:00:00"]);
  assert.deepEqual(["63:20", " 1:03:20,5 ", "3800", "0:07"].map(seconds), [3800, 3800.5, 3800, 7]);
  assert.deepEqual(["63:20-64:00", "0:07", "5 – 6,5"].map(stretch), [[3800, 3840], [7, 7], [5, 6.5]]);
  assert.deepEqual(["9-8", "1-2-3", "-5", "5-", "half-past"].map(stretch), Array(5).fill(undefined));
  assert.deepEqual(["", "half past", "1:", "1:2:3:4", "-5"].map(seconds), Array(5).fill(undefined));
  assert.deepEqual([59.96, 3.04].map((sec) => clock(sec, true)), ["1:00.0", "0:03.0"]);
  assert.deepEqual([12, 1500, 48_211_034].map(size), ["12 bytes", "1.50 KB", "48.2 MB"]);
  assert.deepEqual([0.2, 89, 120, 7200].map(about), ["1 s", "89 s", "2 min", "2.0 h"]);
});

test("a file's name becomes a name that Kubernetes and the API take", () => {
  const id = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
  const file = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
  for (const name of ["Spiel 3 (Köln).MP4", "...", "日本.mkv", `${"x".repeat(80)}-.mp4`, "a", "-_-", `${"é".repeat(200)}.mp4`]) {
    assert.match(idOf(name), id, name);
    assert.match(safeName(name), file, name);
    assert.ok(safeName(name).length <= 128);
  }
  assert.equal(idOf("Spiel 3 (Köln).MP4"), "spiel-3-ko-ln");
});

test("overlap is intersection over union", () => {
  const a = { x: 0.2, y: 0.2, w: 0.2, h: 0.2 };
  assert.equal(iou(a, a), 1);
  assert.equal(iou(a, { x: 0.4, y: 0.2, w: 0.2, h: 0.2 }), 0);
  assert.ok(Math.abs(iou(a, { x: 0.3, y: 0.2, w: 0.2, h: 0.2 }) - 1 / 3) < 1e-12);
});

test("a box that is drawn stays in the picture and has an area", () => {
  assert.deepEqual(inside({ x: 0.9, y: -1, w: 0.5, h: 0.5 }), { x: 0.5, y: 0, w: 0.5, h: 0.5 });
  const drawn = between({ x: 0.6, y: 0.5 }, { x: 1.4, y: -0.2 });
  assert.deepEqual([drawn.x, drawn.y, drawn.h], [0.6, 0, 0.5]);
  assert.ok(drawn.x + drawn.w <= 1);
  assert.ok(between({ x: 1, y: 1 }, { x: 1, y: 1 }).w > 0);
});

test("arrow keys go to the next person in that direction", () => {
  const at = (track_id: number, x: number, y: number) => ({ track_id, bbox: { x, y, w: 0.05, h: 0.1 } });
  const all = [at(1, 0.1, 0.5), at(2, 0.3, 0.52), at(3, 0.5, 0.1), at(4, 0.6, 0.5)];
  assert.equal(neighbour(all[0]!.bbox, all, 1, 0)?.track_id, 2);
  assert.equal(neighbour(all[1]!.bbox, all, 1, 0)?.track_id, 4);
  assert.equal(neighbour(all[1]!.bbox, all, 0, -1)?.track_id, 3);
  assert.equal(neighbour(all[0]!.bbox, all, -1, 0), undefined);
});

test("an estimate follows the speed of the last minute", () => {
  let samples: Sample[] = [];
  assert.equal(remaining(samples, 0), undefined);
  for (const second of [0, 10, 20]) samples = noted(samples, { at: second * 1000, share: second / 100 });
  assert.ok(Math.abs(rate(samples) - 0.01) < 1e-12);
  assert.equal(Math.round(remaining(samples, 20_000)!), 80);
  assert.equal(Math.round(remaining(samples, 30_000)!), 70);
  assert.deepEqual(noted(samples, { at: 40_000, share: 0.05 }), [{ at: 40_000, share: 0.05 }], "a new attempt begins anew");
  assert.equal(noted(samples, { at: 40_000, share: 0.2 }), samples, "the same share tells nothing");
});

const decision = (kind: Decision["kind"], begin_sec: number, end_sec: number, more: Partial<Decision> = {}): Decision => ({
  number: 1,
  kind,
  begin_sec,
  end_sec,
  backwards: false,
  pictured: false,
  ...more,
});
const log = (decisions: Decision[], more: Partial<Log> = {}): Log => ({
  version: 1,
  width: 1280,
  height: 720,
  begin_sec: 0,
  end_sec: 20,
  confirmed_sec: 8,
  confirmed: { x: 0, y: 0, w: 0.1, h: 0.1 },
  decisions,
  ...more,
});

test("the timeline has no gaps, and lost wins over guessed", () => {
  const all = stretches(log([decision("crossing", 2, 6), decision("lost", 5, 9), decision("found-again", 9, 9)]));
  assert.deepEqual(
    all.map(({ kind, begin, end }) => [kind, begin, end]),
    [
      ["supported", 0, 2],
      ["guessed", 2, 5],
      ["lost", 5, 9],
      ["supported", 9, 20],
    ],
  );
  assert.deepEqual(totals(all), { supported: 13, guessed: 3, lost: 4 });
  assert.deepEqual(stretches(log([])).map((one) => one.kind), ["supported"]);
});

test("a decision's moment and likelihood are those of core/playerscore/decisions.py", () => {
  const times = [
    decision("lost", 2, 6),
    decision("found-again", 2, 6),
    decision("lost", 2, 6, { backwards: true }),
    decision("found-again", 2, 6, { backwards: true }),
  ].map(moment);
  assert.deepEqual(times, [2, 6, 6, 2]);
  assert.equal(likelihood(decision("crossing", 0, 1, { margin: 0 })), 0.5);
  assert.equal(likelihood(decision("lost", 0, 1)), undefined);
});

test("the clip begins ten seconds before the confirmed frame, where the video allows it", () => {
  assert.equal(clipRange(log([]), 20).begin, 0);
  assert.equal(clipRange(log([], { end_sec: 100, confirmed_sec: 50 }), 30).begin, 40);
  assert.equal(clipRange(log([], { end_sec: 100, confirmed_sec: 95 }), 30).begin, 70);
});

test("addresses of pages go there and back", () => {
  for (const [namespace, id, other] of [[undefined], ["scoring"], ["scoring", "a.b-1"], ["scoring", "a", "b"]] as const) {
    const found = parse(address(namespace, id, other));
    assert.deepEqual([found.namespace, found.job, found.other], [namespace, id, other]);
  }
  assert.equal(parse(address("scoring", undefined, undefined, new URLSearchParams({ step: "QUEUED" }))).query.get("step"), "QUEUED");
  assert.equal(parse("").namespace, undefined);
});

test("filters are those of the API, and names sort as people count", () => {
  const radar = { result: { overallScore: 70 }, player_ref: { track_id: 7 }, displayName: "Final, No. 10" };
  const all = [job("job-10"), job("job-2", radar)];
  const ids = (query: string): string[] => {
    const parameters = new URLSearchParams(query);
    return sorted(all.filter((one) => wanted(one, parameters)), parameters).map((one) => one.id);
  };
  assert.deepEqual(ids(""), ["job-2", "job-10"]);
  assert.deepEqual(ids("player=7"), ["job-2"]);
  assert.deepEqual(ids("player=no. 10"), ["job-2"]);
  assert.deepEqual(ids("minScore=0"), ["job-2"]);
  assert.deepEqual(ids("minScore=71"), []);
  assert.deepEqual(ids("step=COMPLETED"), []);
  assert.deepEqual(ids("sort=score&down=1"), ["job-2", "job-10"]);
});

test("why it waits is the condition that tells most", () => {
  const waits = job("a", {
    conditions: [condition("Admitted", "True", "Launched"), condition("Running", "False", "PodPending", "0/3 nodes")],
  });
  assert.match(why(waits).text, /machine with enough room/);
  assert.equal(why(waits).detail, "0/3 nodes");
  const queued = job("a", { conditions: [condition("Admitted", "False", "Queued"), condition("Running", "False", "Queued")] });
  assert.match(why(queued).text, /queue/);
  const stalled = job("a", { conditions: [condition("Stalled", "True", "TARGET_MISMATCH"), condition("Running", "False", "Suspended")] });
  assert.match(why(stalled).text, /does not belong/);
  assert.notEqual(why(stalled).todo, "");
  assert.match(why(job("a")).text, /looked at/);
  assert.equal(isPaused(job("a", { conditions: [condition("Admitted", "False", "Suspended")] })), true);
});

test("what was chosen of the moments is what the API takes", () => {
  assert.deepEqual(answersOf({ 1: "B", 2: "", 3: "absent", 4: "A" }), [
    { moment: 1, candidate: 2 },
    { moment: 3, absent: true },
    { moment: 4, candidate: 1 },
  ]);
});
