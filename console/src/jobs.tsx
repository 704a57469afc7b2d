/** The jobs of a namespace, live, and how a new one begins. */

import type { Job, Schemas } from "playerscore-client";
import { useEffect, useState } from "preact/hooks";
import { about, idOf, size } from "./format.ts";
import { useJobs } from "./live.ts";
import { Problem, Question } from "./parts.tsx";
import { address, route } from "./route.ts";
import { texts } from "./texts.ts";
import * as up from "./uploads.ts";
import { sorted, wanted, type Column } from "./wanted.ts";

type Step = Schemas["Step"];

export function JobsPage({ namespace }: { namespace: string | undefined }) {
  const { items, loaded, more, error } = useJobs(namespace).value;
  const query = route.value.query;
  const all = [...items.values()];
  const shown = sorted(all.filter((job) => wanted(job, query)), query);
  return (
    <>
      <h1>{texts.jobs.title}</h1>
      <NewJob namespace={namespace} />
      <Problem error={error} />
      <Filters query={query} />
      {!loaded && error === undefined && <p aria-busy="true">{texts.jobs.loading}</p>}
      {loaded && all.length === 0 && <p>{texts.jobs.none}</p>}
      {loaded && all.length > 0 && shown.length === 0 && <p role="status">{texts.jobs.noneMatches}</p>}
      {shown.length > 0 && <Table namespace={namespace} jobs={shown} all={all.length} query={query} />}
      {more && <p>{texts.jobs.more}</p>}
    </>
  );
}

function changed(query: URLSearchParams, name: string, value: string): void {
  const next = new URLSearchParams(query);
  if (value === "") next.delete(name);
  else next.set(name, value);
  // Not a new entry in the browser's history for every letter.
  history.replaceState(null, "", address(route.value.namespace, undefined, undefined, next));
  route.value = { ...route.value, query: next };
}

function Filters({ query }: { query: URLSearchParams }) {
  const take = (name: string) => (event: Event) => changed(query, name, (event.target as HTMLInputElement).value);
  return (
    <form role="search" class="filters" aria-label={texts.jobs.filters} onSubmit={(event) => event.preventDefault()}>
      <label>
        {texts.jobs.step}
        <select value={query.get("step") ?? ""} onChange={take("step")}>
          <option value="">{texts.jobs.anyStep}</option>
          {Object.entries(texts.steps).map(([step, text]) => (
            <option key={step} value={step}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label>
        {texts.jobs.playerOrName}
        <input type="search" value={query.get("player") ?? ""} onInput={take("player")} />
      </label>
      <label>
        {texts.jobs.minScore}
        <input type="number" min={0} max={100} value={query.get("minScore") ?? ""} onInput={take("minScore")} />
      </label>
    </form>
  );
}

interface TableProps {
  namespace: string | undefined;
  jobs: Job[];
  all: number;
  query: URLSearchParams;
}

function Table({ namespace, jobs, all, query }: TableProps) {
  const [chosen, choose] = useState<string[]>([]);
  const toggle = (id: string): void =>
    choose((old) => (old.includes(id) ? old.filter((one) => one !== id) : [...old.slice(-1), id]));
  const [first, second] = chosen;
  return (
    <>
      <p class="compare-line">
        {first !== undefined && second !== undefined ? (
          <a role="button" class="small" href={address(namespace, first, second)}>
            {texts.jobs.compare}
          </a>
        ) : (
          <small>{texts.jobs.compareHelp}</small>
        )}
      </p>
      <div class="scroll" role="region" tabIndex={0} aria-labelledby="jobs-caption">
        <table class="jobs">
          <caption id="jobs-caption">{texts.jobs.caption(jobs.length, all)}</caption>
          <thead>
            <tr>
              <td />
              <Heading column="id" text={texts.jobs.id} query={query} />
              <Heading column="player" text={texts.jobs.player} query={query} />
              <Heading column="step" text={texts.jobs.step} query={query} />
              <Heading column="score" text={texts.jobs.score} query={query} />
            </tr>
          </thead>
          <tbody>
            {jobs.map((job) => (
              <Row key={job.id} namespace={namespace} job={job} chosen={chosen.includes(job.id)} toggle={toggle} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Heading({ column, text, query }: { column: Column; text: string; query: URLSearchParams }) {
  const by = (query.get("sort") ?? "id") === column;
  const down = query.get("down") === "1";
  const sort = (): void => {
    const next = new URLSearchParams(query);
    next.set("sort", column);
    next.delete("down");
    changed(next, "down", by && !down ? "1" : "");
  };
  return (
    <th scope="col" aria-sort={by ? (down ? "descending" : "ascending") : undefined}>
      <button class="sort" title={texts.jobs.sortBy(text)} onClick={sort}>
        {text} <span aria-hidden="true">{by ? (down ? "↓" : "↑") : ""}</span>
      </button>
    </th>
  );
}

function Row(props: { namespace: string | undefined; job: Job; chosen: boolean; toggle: (id: string) => void }) {
  const { job } = props;
  const { step, percent } = job.progress;
  const id = job.player_ref?.track_id;
  return (
    <tr>
      <td>
        {step === "COMPLETED" && (
          <input
            type="checkbox"
            aria-label={texts.jobs.select(job.id)}
            checked={props.chosen}
            onChange={() => props.toggle(job.id)}
          />
        )}
      </td>
      <th scope="row">
        <a href={address(props.namespace, job.id)}>{job.id}</a>
        {job.displayName !== null && <small> {job.displayName}</small>}
      </th>
      <td>{id !== undefined && id !== null ? texts.jobs.track(id) : ""}</td>
      <td>
        <span class={`step step-${step}`}>{texts.steps[step as Step]}</span>
        {step === "ANALYZING" && percent !== null && <small> {percent} %</small>}
      </td>
      <td class="number">{job.result?.overallScore ?? ""}</td>
    </tr>
  );
}

// --- a new job -----------------------------------------------------------------------------------------------------

/** A video has at most so many files. */
const MOST_FILES = 16;
const inOrder = new Intl.Collator("en", { numeric: true });

function NewJob({ namespace }: { namespace: string | undefined }) {
  const [over, setOver] = useState(false);
  const [several, ask] = useState<File[]>([]);
  const take = (files: FileList | null | undefined): void => {
    const chosen = [...(files ?? [])].sort((a, b) => inOrder.compare(a.name, b.name));
    if (chosen.length > 1) ask(chosen);
    else up.begin(namespace, chosen);
  };
  const asOne = (one: boolean): void => {
    ask([]);
    if (one) up.begin(namespace, several);
    else several.forEach((file) => up.begin(namespace, [file]));
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer?.files);
  };
  const mine = up.uploads.value.filter((one) => one.namespace === namespace);
  return (
    <section class="new" aria-labelledby="new-job">
      <h2 id="new-job">{texts.upload.title}</h2>
      <label
        class={over ? "drop over" : "drop"}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        {texts.upload.drop}
        <input
          type="file"
          multiple
          accept="video/*,.mkv,.mxf,.ts,.mts"
          aria-label={texts.upload.choose}
          onChange={(event) => {
            take(event.currentTarget.files);
            event.currentTarget.value = "";
          }}
        />
      </label>
      {several.length > 1 && (
        <div class="several" role="group" aria-label={texts.upload.several(several.length)}>
          <p>{texts.upload.several(several.length)}</p>
          <ol>
            {several.map((file) => (
              <li key={file.name}>{file.name}</li>
            ))}
          </ol>
          <div class="row">
            {several.length <= MOST_FILES && <button onClick={() => asOne(true)}>{texts.upload.oneMatch}</button>}
            <button class="secondary" onClick={() => asOne(false)}>
              {texts.upload.separate}
            </button>
            <button class="outline secondary" onClick={() => ask([])}>
              {texts.upload.neither}
            </button>
          </div>
        </div>
      )}
      {mine.map((one) => (
        <Progress key={one.key} one={one} />
      ))}
      {mine.some((one) => one.state === "sending") && <p class="small">{texts.upload.stays}</p>}
      <Unfinished namespace={namespace} />
      <ByAddress namespace={namespace} />
    </section>
  );
}

function Unfinished({ namespace }: { namespace: string | undefined }) {
  const [, look] = useState(0);
  const left = up.begun(namespace);
  if (left.length === 0) return null;
  return (
    <ul class="unfinished">
      {left.map((one) => (
        <li key={one.key}>
          {texts.upload.unfinished(one.name)}{" "}
          <button class="outline secondary small" onClick={() => void up.cancel(one.key).then(() => look(Date.now()))}>
            {texts.upload.forget}
          </button>
        </li>
      ))}
    </ul>
  );
}

function Progress({ one }: { one: up.Upload }) {
  const [asking, ask] = useState(false);
  const [before] = useState(one.state);
  const rest = up.left(one, Date.now());
  useEffect(() => {
    // To the job, if he has waited here for it.
    if (one.state === "done" && before !== "done" && one.job !== undefined) {
      location.hash = address(one.namespace, one.job.id);
      up.uploads.value = up.uploads.value.filter((other) => other.key !== one.key);
    }
  }, [one.state]);
  return (
    <article class="upload" aria-label={one.name}>
      <p>
        <strong>{one.name}</strong> {texts.upload.of(size(one.sent), size(one.bytes))}
        {up.speed(one) > 0 && one.state === "sending" && <> · {texts.upload.speed(size(Math.round(up.speed(one))))}</>}
        {rest !== undefined && one.state === "sending" && <> · {texts.upload.left(about(rest))}</>}
      </p>
      <progress value={one.sent} max={one.bytes} aria-label={one.name} />
      <p role="status">
        {one.state === "waiting" && texts.upload.waiting}
        {one.state === "arrived" && texts.upload.arrived}
        {one.state === "creating" && texts.upload.creating}
      </p>
      {one.state === "failed" && <Problem error={one.error} again={() => up.again(one.key)} />}
      {one.job !== undefined && <a href={address(one.namespace, one.job.id)}>{texts.upload.open}</a>}
      {one.state !== "done" && (
        <div class="row">
          {up.leads(one.key) && (
            <label class="inline">
              {texts.upload.id}
              <input
                defaultValue={up.idFor(one.key)}
                onInput={(event) => up.rename(one.key, idOf(event.currentTarget.value))}
              />
            </label>
          )}
          <button class="outline secondary small" onClick={() => ask(true)}>
            {texts.upload.cancel}
          </button>
        </div>
      )}
      {asking && (
        <Question
          title={texts.upload.cancel}
          text={texts.upload.cancelQuestion(one.name)}
          yes={texts.upload.cancel}
          no={texts.job.keep}
          onYes={() => void up.cancel(one.key)}
          onNo={() => ask(false)}
        />
      )}
    </article>
  );
}

function ByAddress({ namespace }: { namespace: string | undefined }) {
  const [error, setError] = useState<unknown>(undefined);
  const [busy, setBusy] = useState(false);
  const submit = async (form: HTMLFormElement): Promise<void> => {
    const uri = String(new FormData(form).get("uri")).trim();
    setBusy(true);
    try {
      const job = await up.create(namespace, [uri], idOf(uri.split("/").at(-1) ?? ""));
      location.hash = address(namespace, job.id);
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  return (
    <details>
      <summary>{texts.upload.uri}</summary>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          void submit(event.currentTarget);
        }}
      >
        <label class="grow">
          {texts.upload.uriHelp}
          <input name="uri" required spellcheck={false} />
        </label>
        <button aria-busy={busy}>{texts.upload.uriGo}</button>
      </form>
      <Problem error={error} close={() => setError(undefined)} />
    </details>
  );
}
