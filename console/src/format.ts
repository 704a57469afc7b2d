/** Numbers and times as people read them. */

/** `1:03:20.5` or `3:20`; tenths only where asked for. */
export function clock(seconds: number, tenths = false): string {
  const whole = tenths ? Math.round(seconds * 10) / 10 : Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const told = tenths ? s.toFixed(1).padStart(4, "0") : String(s).padStart(2, "0");
  return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${told}` : `${m}:${told}`;
}

/** The seconds of a time as a person writes it, `63:20`, `1:03:20.5` or `3800`; undefined where it is none. */
export function seconds(text: string): number | undefined {
  const plain = text.trim().replace(",", ".");
  if (!/^(\d+:){0,2}\d+(\.\d+)?$/.test(plain)) return undefined;
  return plain.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);
}

/** A time, or the two ends of a range, `63:20-64:00`; undefined where it is none. */
export function stretch(text: string): [number, number] | undefined {
  const ends = text.split(/[-–]/).map(seconds);
  const [from, to = from] = ends;
  return ends.length > 2 || from === undefined || to === undefined || ends.includes(undefined) || to < from ? undefined : [from, to];
}

export function size(bytes: number): string {
  const units = ["bytes", "KB", "MB", "GB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

/** A duration in words, rounded to what one would say. */
export function about(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** A job's id from a file's name: what Kubernetes takes as a name. */
export function idOf(filename: string): string {
  const plain = filename
    .replace(/\.[^.]*$/, "")
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  return plain === "" ? "match" : plain;
}

/** A file's name as the API takes it. */
export function safeName(filename: string): string {
  const plain = filename.normalize("NFKD").replace(/[^A-Za-z0-9._-]+/g, "_").replace(/^[^A-Za-z0-9]+/, "");
  return (plain === "" ? "video" : plain).slice(-100).replace(/^[^A-Za-z0-9]+/, "v");
}
