/** Boxes: `{x, y, w, h}` in shares of the picture, from the top left. */

export interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
}

/** The smallest side that a person draws on purpose. */
export const LEAST = 0.002;

/** Intersection over union, 0..1, as core/playerscore/geometry.py has it. */
export function iou(a: Box, b: Box): number {
  const w = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  if (w <= 0 || h <= 0) return 0;
  return (w * h) / (a.w * a.h + b.w * b.h - w * h);
}

const within = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** The box, moved into the picture where it sticks out. */
export function inside(box: Box): Box {
  const w = within(box.w, LEAST, 1);
  const h = within(box.h, LEAST, 1);
  return { x: within(box.x, 0, 1 - w), y: within(box.y, 0, 1 - h), w, h };
}

/** The box between two corners, in whatever order. */
export function between(a: { x: number; y: number }, b: { x: number; y: number }): Box {
  const [x1, x2] = [within(Math.min(a.x, b.x), 0, 1), within(Math.max(a.x, b.x), 0, 1)];
  const [y1, y2] = [within(Math.min(a.y, b.y), 0, 1), within(Math.max(a.y, b.y), 0, 1)];
  return inside({ x: x1, y: y1, w: x2 - x1, h: y2 - y1 });
}

/** Which of the boxes lies next in that direction from `from`; undefined where there is none. */
export function neighbour<T extends { bbox: Box }>(from: Box, all: T[], dx: number, dy: number): T | undefined {
  const middle = (box: Box) => ({ x: box.x + box.w / 2, y: box.y + box.h / 2 });
  const here = middle(from);
  let best: T | undefined;
  let least = Infinity;
  for (const one of all) {
    const there = middle(one.bbox);
    const along = (there.x - here.x) * dx + (there.y - here.y) * dy;
    const across = Math.abs((there.x - here.x) * dy) + Math.abs((there.y - here.y) * dx);
    if (along > across / 2 && along + 2 * across < least) {
      least = along + 2 * across;
      best = one;
    }
  }
  return best;
}
