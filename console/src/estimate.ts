/** How long something still takes, from how fast it went. Times in ms. */

export interface Sample {
  at: number;
  /** 0..1 */
  share: number;
}

const WINDOW_MS = 60_000;

/** The samples that count, with a new one; a share that fell back begins anew. */
export function noted(samples: Sample[], next: Sample): Sample[] {
  const last = samples.at(-1);
  if (last !== undefined && next.share < last.share) return [next];
  if (last !== undefined && next.share === last.share) return samples;
  return [...samples, next].filter((one, index, all) => next.at - one.at <= WINDOW_MS || index >= all.length - 2);
}

/** Shares per second; 0 where too little was seen. */
export function rate(samples: Sample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.at <= first.at) return 0;
  return ((last.share - first.share) * 1000) / (last.at - first.at);
}

/** Seconds until all is done, from `now` on; undefined where nothing can be said. */
export function remaining(samples: Sample[], now: number): number | undefined {
  const speed = rate(samples);
  const last = samples.at(-1);
  if (speed <= 0 || last === undefined) return undefined;
  return Math.max(0, (1 - last.share) / speed - (now - last.at) / 1000);
}
