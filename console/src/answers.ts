/** What was chosen on the page, as the API takes it. */

import type { Schemas } from "playerscore-client";

export const LETTERS = "ABCD";

/** By the moment's number: a candidate's letter, "absent", or "" where nothing is said. */
export type Said = Record<number, string>;

export function answersOf(said: Said): Schemas["Answer"][] {
  return Object.entries(said)
    .filter(([, who]) => who !== "")
    .map(([number, who]) =>
      who === "absent"
        ? { moment: Number(number), absent: true }
        : { moment: Number(number), candidate: LETTERS.indexOf(who) + 1 },
    );
}
