/** The whole flow, from a video to its score: `node dist/flow.js URL VIDEO_URI`, with the token in TOKEN. */

import { ApiError, connect, done, watch, type Job, type Schemas } from "./client.js";

const [, , url, uri] = process.argv;
const token = process.env["TOKEN"];
if (url === undefined || uri === undefined || token === undefined) {
  console.error("usage: TOKEN=... node dist/flow.js URL VIDEO_URI");
  process.exit(2);
}
const api = connect(url, token);

async function until(job_id: string, steps: Schemas["Step"][]): Promise<Job> {
  for await (const event of watch(api, job_id)) {
    if (event.event === "percent") console.log(`percent ${event.data.percent}`);
    if (event.event === "job" && steps.includes(event.data.progress.step)) return event.data;
    if (event.event === "deleted") break;
  }
  throw new Error(`${job_id} ended before ${steps.join(" or ")}`);
}

async function code(refused: Promise<unknown>): Promise<string> {
  try {
    await refused;
  } catch (error) {
    if (error instanceof ApiError) return `${error.status} ${error.refusal.code}`;
    throw error;
  }
  return "accepted";
}

const key = crypto.randomUUID();
const create = () =>
  done(api.POST("/jobs", { params: { header: { "idempotency-key": key } }, body: { video: { uri } } }));
const { id } = await create();
console.log(`repeated ${(await create()).id === id}`);
const path = { job_id: id };
console.log(`early ${await code(done(api.POST("/jobs/{job_id}/enqueue", { params: { path } })))}`);

await until(id, ["WAITING_FOR_PLAYER"]);
const preview = await done(api.GET("/jobs/{job_id}/preview", { params: { path } }));
const frame = preview.frames.find((each) => each.tracks.length > 0);
const track = frame?.tracks[0];
if (frame === undefined || track === undefined) throw new Error("the preview shows nobody");

const { frame_key } = frame;
const picked = await done(
  api.POST("/jobs/{job_id}/pick-player", { params: { path }, body: { frame_key, track_id: track.track_id } }),
);
console.log(`picked ${picked.player_ref?.track_id} ${picked.progress.step}`);

const elsewhere = { x: 0, y: 0.9, w: 0.01, h: 0.01 };
const target = (bbox: Schemas["BBox"]) =>
  done(api.POST("/jobs/{job_id}/target", { params: { path }, body: { frame_key, bbox } }));
console.log(`elsewhere ${await code(target(elsewhere))}`);
const confirmed = await target(track.bbox);
console.log(`confirmed ${confirmed.target?.confirmed} ${confirmed.progress.step}`);

const stale = { path, header: { "if-match": '"1"' } };
console.log(`stale ${await code(done(api.POST("/jobs/{job_id}/enqueue", { params: stale })))}`);
await done(api.POST("/jobs/{job_id}/enqueue", { params: { path } }));

const ended = await until(id, ["COMPLETED", "FAILED"]);
console.log(`${ended.progress.step} ${ended.result?.overallScore} ${ended.result?.radar.visibility}`);
const files = await done(api.GET("/jobs/{job_id}/artifacts", { params: { path } }));
console.log(`artifacts ${files.items.map((file) => file.name).join(",")}`);
