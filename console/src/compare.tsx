/** Two jobs side by side. */

import type { Schemas } from "playerscore-client";
import { useJob } from "./live.ts";
import { Problem, Radar } from "./parts.tsx";
import { address } from "./route.ts";
import { texts } from "./texts.ts";

type Result = Schemas["Result"];

export function Compare({ namespace, first, second }: { namespace: string | undefined; first: string; second: string }) {
  const one = useJob(namespace, first).one;
  const two = useJob(namespace, second).one;
  const results = [one.job?.result, two.job?.result];
  const [a, b] = results;
  return (
    <>
      <h1>{texts.compare.title(first, second)}</h1>
      <Problem error={one.error ?? two.error} />
      {[one, two].map(
        ({ job }, index) =>
          job !== undefined && job.result === null && <p key={index}>{texts.compare.noResult(job.id)}</p>,
      )}
      {a && b && <Radar shapes={[a.radar, b.radar]} label={texts.compare.title(first, second)} />}
      {a && b && <Differences names={[first, second]} a={a} b={b} />}
      <p class="row">
        {[first, second].map((id) => (
          <a key={id} href={address(namespace, id)}>
            {texts.result.open(id)}
          </a>
        ))}
      </p>
    </>
  );
}

type Row = [name: string, a: number, b: number];

function rows(a: Result, b: Result): Row[] {
  const axes = Object.keys(texts.result.axes) as (keyof Schemas["Radar"])[];
  const signals = Object.keys(a.signals).filter((name) => name in b.signals) as (keyof Result["signals"])[];
  return [
    [texts.compare.overall, a.overallScore, b.overallScore],
    ...axes.map((axis): Row => [texts.result.axes[axis]!, a.radar[axis], b.radar[axis]]),
    ...signals.map((name): Row => [name, Number(a.signals[name]), Number(b.signals[name])]),
  ];
}

const plain = (value: number): number => Number(value.toPrecision(4));

function Differences({ names, a, b }: { names: [string, string]; a: Result; b: Result }) {
  return (
    <div class="scroll" role="region" tabIndex={0} aria-label={texts.compare.difference}>
      <table>
        <thead>
          <tr>
            <td />
            {names.map((name, index) => (
              <th key={name} scope="col">
                <span class={`swatch shape-${index}`} aria-hidden="true" /> {name}
              </th>
            ))}
            <th scope="col">{texts.compare.difference}</th>
          </tr>
        </thead>
        <tbody>
          {rows(a, b).map(([name, left, right]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="number">{plain(left)}</td>
              <td class="number">{plain(right)}</td>
              <td class="number">{plain(right - left)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
