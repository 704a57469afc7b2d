/** Moments worth a look: where a person's word would change most, and the analysis that goes on from the answers. */

import type { Job, Schemas } from "playerscore-client";
import { useState } from "preact/hooks";
import { answersOf, LETTERS, type Said } from "./answers.ts";
import { clock } from "./format.ts";
import { artifactUrl, Problem, Section, useLoaded } from "./parts.tsx";
import { address } from "./route.ts";
import { api, ask } from "./session.ts";
import { texts } from "./texts.ts";

type Moment = Schemas["ShownMoment"];

/** So many are shown at once: three answers are most of what there is to gain. */
const FIRST = 3;

export function Review({ job, version }: { job: Job; version: string }) {
  const [said, setSaid] = useState<Said>({});
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(undefined);
  const params = { path: { job_id: job.id }, query: { namespace: job.namespace } };
  const { value, error, again } = useLoaded(
    (signal) => ask(api.value.GET("/jobs/{job_id}/review", { params, signal })),
    [job.namespace, job.id, job.resourceVersion],
  );
  if (error !== undefined) return <Problem error={error} again={again} />;
  const moments = value?.items ?? [];
  if (moments.length === 0) return null;
  const answers = answersOf(said);
  const say = (number: number, who: string): void => setSaid((old) => ({ ...old, [number]: who }));
  const refine = async (): Promise<void> => {
    setBusy(true);
    setFailure(undefined);
    try {
      const made = await ask(api.value.POST("/jobs/{job_id}/refine", { params, body: { answers } }));
      location.hash = address(made.namespace, made.id);
    } catch (problem) {
      setFailure(problem);
    }
    setBusy(false);
  };
  const shown = (some: Moment[]) =>
    some.map((one) => <Asked key={one.number} {...{ job, version, one, say }} who={said[one.number] ?? ""} />);
  return (
    <Section title={texts.review.title} id="review">
      <p>{texts.review.lead}</p>
      {shown(moments.slice(0, FIRST))}
      {moments.length > FIRST && (
        <details>
          <summary>{texts.review.more(moments.length - FIRST)}</summary>
          {shown(moments.slice(FIRST))}
        </details>
      )}
      <button disabled={answers.length === 0 || busy} aria-busy={busy} onClick={() => void refine()}>
        {texts.review.go(answers.length)}
      </button>
      <Problem error={failure} close={() => setFailure(undefined)} />
    </Section>
  );
}

interface AskedProps {
  job: Job;
  version: string;
  one: Moment;
  who: string;
  say: (number: number, who: string) => void;
}

function Asked({ job, version, one, who, say }: AskedProps) {
  const choices: [string, string][] = one.candidates.map((_, index) => [
    LETTERS[index]!,
    index === 0 && one.taken ? texts.review.taken(LETTERS[0]!) : texts.review.candidate(LETTERS[index]!),
  ]);
  choices.push(["absent", texts.review.absent], ["", texts.review.unknown]);
  return (
    <fieldset class="asked">
      <legend>{texts.review.moment(clock(one.time_sec, true), texts.review.kinds[one.kind] ?? one.kind)}</legend>
      {one.picture !== null && <Picture job={job} name={one.picture} version={version} time={clock(one.time_sec, true)} />}
      <p class="small">{texts.review.stake(Math.round(one.doubt * 100), clock(one.stake_sec, true))}</p>
      <div class="row">
        {choices.map(([value, text]) => (
          <label key={value} class="inline">
            <input
              type="radio"
              name={`moment-${one.number}`}
              checked={who === value}
              onChange={() => say(one.number, value)}
            />
            {text}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function Picture({ job, name, version, time }: { job: Job; name: string; version: string; time: string }) {
  const { value, error, again } = useLoaded(
    () => artifactUrl(job.namespace, job.id, name, version),
    [job.namespace, job.id, name, version],
  );
  if (error !== undefined) return <Problem error={error} again={again} />;
  return value === undefined ? <p aria-busy="true" /> : <img src={value} alt={texts.review.picture(time)} />;
}
