/** One job, from its preview to its result: which part is shown follows from its step. */

import type { Job, Schemas } from "playerscore-client";
import { useEffect, useState } from "preact/hooks";
import { noted, remaining, type Sample } from "./estimate.ts";
import { about } from "./format.ts";
import { useJob } from "./live.ts";
import { Problem, Question, Section } from "./parts.tsx";
import { Picking, Picked } from "./pick.tsx";
import { ResultPage } from "./result.tsx";
import { address } from "./route.ts";
import { api, ask } from "./session.ts";
import { texts } from "./texts.ts";
import { isPaused, why } from "./why.ts";

type Step = Schemas["Step"];

/** How many of `texts.road` are behind a job at that step. */
const DONE: Record<Step, number> = {
  EXTRACTING_PREVIEW: 0,
  WAITING_FOR_PLAYER: 1,
  WAITING_FOR_TARGET_CONFIRMATION: 2,
  READY_TO_ENQUEUE: 3,
  QUEUED: 3,
  ANALYZING: 3,
  COMPLETED: 5,
  FAILED: 3,
};

export function JobPage({ namespace, id }: { namespace: string | undefined; id: string }) {
  const { one, set } = useJob(namespace, id);
  const { job, deleted, error } = one;
  if (deleted) {
    return (
      <>
        <h1>{id}</h1>
        <p role="status">{texts.job.deleted}</p>
        <a href={address(namespace)}>{texts.job.back}</a>
      </>
    );
  }
  return (
    <>
      <div class="job-head">
        <h1>{id}</h1>
        {job && <Actions namespace={namespace} job={job} set={set} />}
      </div>
      {job?.displayName && <p>{job.displayName}</p>}
      {job?.refines && (
        <p class="small">
          {texts.review.refines} <a href={address(namespace, job.refines)}>{job.refines}</a>
        </p>
      )}
      {job && <Road job={job} />}
      <Problem error={error} />
      {job === undefined && error === undefined && <p aria-busy="true">{texts.job.loading}</p>}
      {job && <Part job={job} set={set} />}
      {job && <Conditions job={job} />}
    </>
  );
}

function Part({ job, set }: { job: Job; set: (job: Job) => void }) {
  switch (job.progress.step) {
    case "EXTRACTING_PREVIEW":
      return <Waiting job={job} title={texts.job.preview} />;
    case "QUEUED":
    case "ANALYZING":
      return (
        <>
          <Waiting job={job} title={job.progress.step === "QUEUED" ? texts.job.waiting : texts.job.running} />
          <Picked job={job} />
        </>
      );
    case "FAILED":
      return <Waiting job={job} title={texts.job.failed} />;
    case "COMPLETED":
      return <ResultPage job={job} />;
    default:
      return <Picking job={job} set={set} />;
  }
}

function Road({ job }: { job: Job }) {
  const done = DONE[job.progress.step];
  const failed = job.progress.step === "FAILED";
  return (
    <>
      <ol class="road" aria-label={texts.roadLabel}>
        {texts.road.map((name, index) => (
          <li
            key={name}
            class={index < done ? "done" : index === done ? (failed ? "failed" : "now") : ""}
            aria-current={index === done ? "step" : undefined}
          >
            {name}
          </li>
        ))}
      </ol>
      <p role="status" class="small">
        {texts.steps[job.progress.step]}
      </p>
    </>
  );
}

function Waiting({ job, title }: { job: Job; title: string }) {
  const reason = why(job);
  const failed = job.progress.step === "FAILED";
  const { percent, message, step } = job.progress;
  return (
    <Section title={title} id="waiting" class={failed ? "problem" : ""}>
      {step === "EXTRACTING_PREVIEW" && <p>{texts.job.previewLead}</p>}
      <p>
        <strong>{reason.text}</strong>
        {reason.todo !== "" && ` ${texts.job.todo}${reason.todo}`}
      </p>
      {!failed && <Percent percent={percent} />}
      {message !== null && !failed && <p class="small">{message}</p>}
      {(reason.detail !== "" || failed) && (
        <details open={failed}>
          <summary>{texts.job.details}</summary>
          <p>
            <code>{reason.code}</code> {reason.detail}
          </p>
        </details>
      )}
    </Section>
  );
}

function Percent({ percent }: { percent: number | null }) {
  const [samples, setSamples] = useState<Sample[]>([]);
  const [now, tick] = useState(Date.now());
  useEffect(() => {
    if (percent !== null) setSamples((old) => noted(old, { at: Date.now(), share: percent / 100 }));
  }, [percent]);
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  if (percent === null) return <progress aria-label={texts.job.waiting} />;
  const rest = remaining(samples, now);
  return (
    <>
      <progress value={percent} max={100} aria-label={texts.job.percent(percent)} />
      <p class="small">
        {texts.job.percent(percent)} · {rest === undefined ? texts.job.noEstimate : texts.job.left(about(rest))}
      </p>
    </>
  );
}

interface ActionsProps {
  namespace: string | undefined;
  job: Job;
  set: (job: Job) => void;
}

function Actions({ namespace, job, set }: ActionsProps) {
  const [asking, setAsking] = useState<"pause" | "delete" | undefined>(undefined);
  const [error, setError] = useState<unknown>(undefined);
  const [busy, setBusy] = useState(false);
  const params = { path: { job_id: job.id }, query: { namespace: job.namespace } };
  const act = async (what: () => Promise<void>): Promise<void> => {
    setAsking(undefined);
    setError(undefined);
    setBusy(true);
    try {
      await what();
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  const pause = () => act(async () => set(await ask(api.value.POST("/jobs/{job_id}/pause", { params }))));
  const resume = () => act(async () => set(await ask(api.value.POST("/jobs/{job_id}/enqueue", { params }))));
  const remove = () =>
    act(async () => {
      await ask(api.value.DELETE("/jobs/{job_id}", { params }));
      location.hash = address(namespace);
    });
  const { step } = job.progress;
  const runs = step === "QUEUED" || step === "ANALYZING";
  return (
    <div class="actions" aria-busy={busy}>
      {runs && (
        <button class="secondary small" onClick={() => (step === "QUEUED" ? void pause() : setAsking("pause"))}>
          {texts.job.pause}
        </button>
      )}
      {step === "READY_TO_ENQUEUE" && isPaused(job) && (
        <button class="secondary small" onClick={() => void resume()}>
          {texts.job.resume}
        </button>
      )}
      <button class="outline danger small" onClick={() => setAsking("delete")}>
        {texts.job.delete}
      </button>
      <Problem error={error} close={() => setError(undefined)} />
      {asking === "delete" && (
        <Question
          title={texts.job.deleteTitle(job.id)}
          text={texts.job.deleteText}
          yes={texts.job.deleteGo}
          no={texts.job.keep}
          onYes={() => void remove()}
          onNo={() => setAsking(undefined)}
        />
      )}
      {asking === "pause" && (
        <Question
          title={texts.job.pauseTitle(job.id)}
          text={texts.job.pauseText}
          yes={texts.job.pauseGo}
          no={texts.job.keep}
          onYes={() => void pause()}
          onNo={() => setAsking(undefined)}
        />
      )}
    </div>
  );
}

function Conditions({ job }: { job: Job }) {
  if (job.conditions.length === 0) return null;
  return (
    <details class="conditions">
      <summary>{texts.job.conditions}</summary>
      <div class="scroll" role="region" tabIndex={0} aria-label={texts.job.conditions}>
        <table>
          <thead>
            <tr>
              {texts.job.condition.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {job.conditions.map((one) => (
              <tr key={one.type}>
                <th scope="row">{one.type}</th>
                <td>{one.status}</td>
                <td>{one.reason}</td>
                <td>{one.message}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
