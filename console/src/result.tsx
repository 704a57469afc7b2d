/** What came of it: score, axes, signals, files, and where on the way it was sure. */

import type { Job, Schemas } from "playerscore-client";
import { useRef, useState } from "preact/hooks";
import { clock, size } from "./format.ts";
import { artifact, artifactUrl, Problem, Radar, save, Section, useLoaded } from "./parts.tsx";
import { Review } from "./review.tsx";
import { address } from "./route.ts";
import { api, ask } from "./session.ts";
import { axisMeanings, codes, signalMeanings, texts } from "./texts.ts";
import { clipRange, likelihood, moment, stretches, totals, type Decision, type Log } from "./timeline.ts";

type Result = Schemas["Result"];
type Artifact = Schemas["Artifact"];

const CLIP = "clip.webm";
const LOG = "decisions.json";

export function ResultPage({ job }: { job: Job }) {
  const result = job.result;
  const params = { path: { job_id: job.id }, query: { namespace: job.namespace } };
  const { value, error, again } = useLoaded(
    (signal) => ask(api.value.GET("/jobs/{job_id}/artifacts", { params, signal })),
    [job.namespace, job.id, job.resourceVersion],
  );
  if (result === null) return null;
  const files = value?.items ?? [];
  const has = (name: string): boolean => files.some((file) => file.name === name);
  const version = `${result.provenance.video_sha256 ?? ""}${result.generation}`;
  return (
    <>
      <Score result={result} />
      {(result.review ?? []).length > 0 && <Review job={job} version={version} />}
      {has(LOG) && <Way job={job} version={version} clip={has(CLIP)} />}
      <Signals result={result} />
      <Problem error={error} again={again} />
      {files.length > 0 && <Pictures job={job} files={files} version={version} />}
      {files.length > 0 && <Downloads job={job} files={files} />}
    </>
  );
}

function Score({ result }: { result: Result }) {
  const axes = Object.keys(texts.result.axes) as (keyof Schemas["Radar"])[];
  return (
    <Section title={texts.result.title} id="result">
      {(result.warnings ?? []).length > 0 && (
        <div class="problem" role="note" aria-label={texts.result.warnings}>
          {(result.warnings ?? []).map((one) => (
            <p key={one.code}>
              <strong>{codes[one.code]?.[0] ?? one.code}</strong> {codes[one.code]?.[1]}
            </p>
          ))}
        </div>
      )}
      <div class="score">
        <p class="overall">
          <strong>{result.overallScore}</strong> {texts.result.score}
        </p>
        <Radar shapes={[result.radar]} label={texts.result.radar} />
        <table>
          <caption>{texts.result.radar}</caption>
          <thead>
            <tr>
              <th scope="col">{texts.result.axis}</th>
              <th scope="col">{texts.result.value}</th>
              <th scope="col">{texts.result.meaning}</th>
            </tr>
          </thead>
          <tbody>
            {axes.map((axis) => (
              <tr key={axis}>
                <th scope="row">{texts.result.axes[axis]}</th>
                <td class="number">{result.radar[axis]}</td>
                <td class="small">{axisMeanings[axis]}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="small">
        {texts.result.method(result.method)}
        {result.target_forced && ` ${texts.result.forced((result.target_iou ?? 0).toFixed(2))}`}
      </p>
    </Section>
  );
}

function Signals({ result }: { result: Result }) {
  return (
    <details>
      <summary>{texts.result.signals}</summary>
      <div class="scroll" role="region" tabIndex={0} aria-label={texts.result.signals}>
        <table>
          <thead>
            <tr>
              <th scope="col">{texts.result.signal}</th>
              <th scope="col">{texts.result.value}</th>
              <th scope="col">{texts.result.meaning}</th>
            </tr>
          </thead>
          <tbody>
            {Object.entries(result.signals).map(([name, value]) => (
              <tr key={name}>
                <th scope="row">
                  <code>{name}</code>
                </th>
                <td class="number">{typeof value === "number" ? Number(value.toPrecision(4)) : String(value)}</td>
                <td class="small">{signalMeanings[name]}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

// --- the way -------------------------------------------------------------------------------------------------------

/** Clip and timeline under one cursor. */
function Way({ job, version, clip }: { job: Job; version: string; clip: boolean }) {
  const { value: log, error, again } = useLoaded(
    async () => JSON.parse(await (await artifact(job.namespace, job.id, LOG)).text()) as Log,
    [job.namespace, job.id, version],
  );
  if (error !== undefined) return <Problem error={error} again={again} />;
  if (log === undefined) return <p aria-busy="true" />;
  return <Timeline job={job} log={log} version={version} clip={clip} />;
}

function Timeline({ job, log, version, clip }: { job: Job; log: Log; version: string; clip: boolean }) {
  const [at, setAt] = useState(log.confirmed_sec);
  const [length, setLength] = useState(0);
  const video = useRef<HTMLVideoElement>(null);
  const range = clipRange(log, length);
  const look = (sec: number): void => {
    setAt(sec);
    const player = video.current;
    if (player !== null && sec >= range.begin && sec <= range.end) player.currentTime = sec - range.begin;
  };
  const all = stretches(log);
  const said = [log.confirmed_sec, ...(job.anchors ?? []).map((one) => one.time_sec)];
  const asked = job.result?.review ?? [];
  const sums = totals(all);
  const span = Math.max(log.end_sec - log.begin_sec, 1e-6);
  const x = (sec: number): number => ((sec - log.begin_sec) / span) * 1000;
  const here = all.find((one) => at >= one.begin && at <= one.end);
  const shows = at >= range.begin && at <= range.end;
  return (
    <Section title={texts.result.timeline} id="timeline">
      {clip && (
        <Clip
          {...{ job, version, video }}
          loaded={setLength}
          played={(sec) => setAt(Math.min(log.end_sec, range.begin + sec))}
          start={log.confirmed_sec - range.begin}
        />
      )}
      <div class="line">
        <svg viewBox="0 0 1000 40" preserveAspectRatio="none" aria-hidden="true">
          {clip && length > 0 && <rect class="clip" x={x(range.begin)} y="0" width={x(range.end) - x(range.begin)} height="40" />}
          {all.map((one) => (
            <rect key={one.begin} class={one.kind} x={x(one.begin)} y="10" width={Math.max(1, x(one.end) - x(one.begin))} height="20" />
          ))}
          {asked.map((one) => (
            <rect key={one.number} class="asked" x={x(one.time_sec) - 3} y="31" width="6" height="9" />
          ))}
          {said.map((sec) => (
            <rect key={sec} class="confirmed" x={x(sec) - 2} y="4" width="4" height="32" />
          ))}
          <rect class="cursor" x={x(at) - 1} y="0" width="2" height="40" />
        </svg>
        <input
          type="range"
          aria-label={texts.result.cursor}
          aria-valuetext={`${clock(at, true)}, ${texts.result.kinds[here?.kind ?? "supported"]}`}
          min={log.begin_sec}
          max={log.end_sec}
          step={0.04}
          value={at}
          onInput={(event) => look(Number(event.currentTarget.value))}
        />
      </div>
      <p class="small legend">
        {(["supported", "guessed", "lost"] as const).map((kind) => (
          <span key={kind} class={`key ${kind}`}>
            {texts.result.total(texts.result.kinds[kind]!, clock(sums[kind], true))}
          </span>
        ))}
        <span class="key confirmed">{texts.result.confirmedAt}</span>
        {asked.length > 0 && <span class="key asked">{texts.result.askedAt}</span>}
      </p>
      <p class="small">
        {clock(at, true)} · {here?.decision ? describe(here.decision) : texts.result.kinds[here?.kind ?? "supported"]}
        {clip && !shows && ` · ${texts.result.outside}`}
      </p>
      <Moments log={log} look={look} />
    </Section>
  );
}

interface ClipProps {
  job: Job;
  version: string;
  video: { current: HTMLVideoElement | null };
  loaded: (length: number) => void;
  played: (sec: number) => void;
  start: number;
}

function Clip({ job, version, video, loaded, played, start }: ClipProps) {
  const { value, error, again } = useLoaded(
    () => artifactUrl(job.namespace, job.id, CLIP, version),
    [job.namespace, job.id, version],
  );
  const ready = useRef(false);
  if (error !== undefined) return <Problem error={error} again={again} />;
  return (
    <video
      ref={video}
      class="clip"
      src={value}
      controls
      muted
      playsInline
      preload="auto"
      aria-label={texts.result.clip}
      onLoadedMetadata={(event) => {
        loaded(event.currentTarget.duration);
        event.currentTarget.currentTime = Math.max(0, start);
        ready.current = true;
      }}
      onTimeUpdate={(event) => {
        // While it is sought, the cursor is where somebody put it.
        if (ready.current && !event.currentTarget.paused) played(event.currentTarget.currentTime);
      }}
    />
  );
}

function describe(decision: Decision): string {
  const what = texts.result.decisions[decision.kind] ?? decision.kind;
  const reasons = (decision.reason ?? "").split(",").filter(Boolean);
  const why = reasons.map((one) => texts.result.reasons[one.trim()] ?? one).join(", ");
  return decision.kind === "lost" && why !== "" ? `${what}: ${why}` : what;
}

const share = (value: number | undefined): string => (value === undefined ? "" : `${Math.round(value * 100)} %`);

function Moments({ log, look }: { log: Log; look: (sec: number) => void }) {
  if (log.decisions.length === 0) return <p>{texts.result.noMoments}</p>;
  return (
    <details>
      <summary>
        {texts.result.moments} ({log.decisions.length})
      </summary>
      <div class="scroll" role="region" tabIndex={0} aria-label={texts.result.moments}>
        <table>
          <thead>
            <tr>
              <th scope="col">{texts.result.when}</th>
              <th scope="col">{texts.result.what}</th>
              <th scope="col">{texts.result.sure}</th>
            </tr>
          </thead>
          <tbody>
            {log.decisions.map((one) => (
              <tr key={one.number}>
                <td>
                  <button
                    class="outline secondary small"
                    aria-label={texts.result.go(clock(moment(one), true))}
                    onClick={() => look(moment(one))}
                  >
                    {clock(moment(one), true)}
                  </button>
                </td>
                <td>{describe(one)}</td>
                <td class="number">{share(likelihood(one))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

// --- files ---------------------------------------------------------------------------------------------------------

function Pictures({ job, files, version }: { job: Job; files: Artifact[]; version: string }) {
  const shown = files.filter((file) => texts.result.picture[file.name] !== undefined);
  if (shown.length === 0) return null;
  return (
    <Section title={texts.result.pictures} id="pictures">
      {shown.map((file) => (
        <Picture key={file.name} job={job} name={file.name} version={version} />
      ))}
    </Section>
  );
}

function Picture({ job, name, version }: { job: Job; name: string; version: string }) {
  const { value, error, again } = useLoaded(
    () => artifactUrl(job.namespace, job.id, name, version),
    [job.namespace, job.id, name, version],
  );
  const text = texts.result.picture[name]!;
  return (
    <figure>
      {value !== undefined && <img src={value} alt={text} />}
      <Problem error={error} again={again} />
      <figcaption>{text}</figcaption>
    </figure>
  );
}

function Downloads({ job, files }: { job: Job; files: Artifact[] }) {
  const [error, setError] = useState<unknown>(undefined);
  const [busy, setBusy] = useState<string | undefined>(undefined);
  const download = async (name: string): Promise<void> => {
    setBusy(name);
    setError(undefined);
    try {
      save(await artifact(job.namespace, job.id, name), `${job.id}-${name}`);
    } catch (failure) {
      setError(failure);
    }
    setBusy(undefined);
  };
  return (
    <Section title={texts.result.downloads} id="downloads">
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">{texts.result.file}</th>
              <th scope="col">{texts.result.bytes}</th>
              <td />
            </tr>
          </thead>
          <tbody>
            {files.map((file) => (
              <tr key={file.name}>
                <th scope="row">
                  {file.name} <small>{texts.result.files[file.name]}</small>
                </th>
                <td class="number">{size(file.bytes)}</td>
                <td>
                  <button
                    class="outline secondary small"
                    aria-label={`${texts.result.download} ${file.name}`}
                    aria-busy={busy === file.name}
                    onClick={() => void download(file.name)}
                  >
                    {texts.result.download}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Problem error={error} close={() => setError(undefined)} />
      <CompareWith job={job} />
    </Section>
  );
}

/** The other job by its name: the list has boxes to choose two. */
function CompareWith({ job }: { job: Job }) {
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        const other = String(new FormData(event.currentTarget).get("other")).trim();
        if (other !== "") location.hash = address(job.namespace, job.id, other);
      }}
    >
      <label class="inline">
        {texts.result.compare}
        <input name="other" required pattern="[a-z0-9]([-a-z0-9.]*[a-z0-9])?" />
      </label>
      <button class="secondary small">{texts.result.compareGo}</button>
    </form>
  );
}
