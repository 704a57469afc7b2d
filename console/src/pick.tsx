/** Who is it, and where: the film strip, the picture with everybody's box, and the box that is confirmed. */

import { ApiError, type Job, type Schemas } from "playerscore-client";
import { useEffect, useRef, useState } from "preact/hooks";
import { clock, stretch } from "./format.ts";
import { between, inside, iou, neighbour, type Box } from "./geometry.ts";
import { frame as framePicture, Problem, Section, useLoaded } from "./parts.tsx";
import { api, ask } from "./session.ts";
import { codes, IOU_THRESHOLD, texts } from "./texts.ts";

type Preview = Schemas["PreviewStatus"];
type Frame = Schemas["Frame"];
type Track = Schemas["Track"];

interface Draft {
  frame: number;
  bbox: Box;
}

/** What somebody has drawn and not confirmed yet: it survives a reload. */
const drafts = {
  key: (job: Job): string => `playerscore.draft|${job.namespace}|${job.id}|${job.player_ref?.track_id ?? ""}`,
  read(job: Job): Draft | undefined {
    try {
      return (JSON.parse(sessionStorage.getItem(this.key(job)) ?? "null") as Draft | null) ?? undefined;
    } catch {
      return undefined;
    }
  },
  write(job: Job, draft: Draft): void {
    try {
      sessionStorage.setItem(this.key(job), JSON.stringify(draft));
    } catch {
      // A browser that keeps nothing forgets it on a reload.
    }
  },
};

const numberOf = (frame: Frame): number => Number(/(\d+)\.jpg$/.exec(frame.frame_key)?.[1]);

function usePreview(job: Job) {
  const params = { path: { job_id: job.id }, query: { namespace: job.namespace } };
  // Its message counts the frames: where some are added, they are read again.
  const keys = [job.namespace, job.id, ready(job)?.message];
  return useLoaded((signal) => ask(api.value.GET("/jobs/{job_id}/preview", { params, signal })), keys);
}

const ready = (job: Job) => job.conditions.find((one) => one.type === "PreviewReady");

/** The picture of a frame, as an address; undefined until it is there. */
function usePicture(job: Job, preview: Preview, frame: Frame): { value: string | undefined; error: unknown } {
  const number = numberOf(frame);
  return useLoaded(() => framePicture(job.namespace, job.id, number, preview.video.sha256), [job.id, number]);
}

export function Picking({ job, set }: { job: Job; set: (job: Job) => void }) {
  const { value: preview, error, again } = usePreview(job);
  if (preview === undefined) {
    return error === undefined ? <p aria-busy="true">{texts.pick.loading}</p> : <Problem error={error} again={again} />;
  }
  return <Bench job={job} preview={preview} set={set} />;
}

function firstShown(job: Job, preview: Preview): number {
  const draft = drafts.read(job)?.frame;
  if (draft !== undefined && preview.frames[draft] !== undefined) return draft;
  const key = job.target?.frame_key ?? job.player_ref?.frame_key;
  const known = preview.frames.findIndex((one) => one.frame_key === key);
  if (known >= 0) return known;
  return Math.max(0, preview.frames.findIndex((one) => one.tracks.length > 0));
}

interface BenchProps {
  job: Job;
  preview: Preview;
  set: (job: Job) => void;
}

function Bench({ job, preview, set }: BenchProps) {
  const [shown, show] = useState(() => firstShown(job, preview));
  const [asked, askFor] = useState<number | undefined>(undefined);
  const [error, setError] = useState<unknown>(undefined);
  const frame = preview.frames[shown]!;
  // What was clicked counts at once; the API's word follows.
  const picked = asked ?? job.player_ref?.track_id ?? undefined;
  const track = frame.tracks.find((one) => one.track_id === picked);
  const pick = async (one: Track): Promise<void> => {
    askFor(one.track_id);
    setError(undefined);
    try {
      const params = { path: { job_id: job.id }, query: { namespace: job.namespace } };
      const body = { frame_key: frame.frame_key, track_id: one.track_id };
      set(await ask(api.value.POST("/jobs/{job_id}/pick-player", { params, body })));
    } catch (failure) {
      setError(failure);
    }
    askFor(undefined);
  };
  return (
    <>
      <Section title={texts.pick.title} id="pick">
        <p>{texts.pick.lead}</p>
        <Strip job={job} preview={preview} shown={shown} show={show} />
        <Elsewhere {...{ job, preview, set, shown, show }} />
        <Problem error={error} close={() => setError(undefined)} />
        <Confirming
          key={`${shown}|${picked ?? ""}`}
          {...{ job, preview, frame, shown, picked, track, set }}
          pick={(one) => void pick(one)}
        />
      </Section>
    </>
  );
}

function Strip(props: { job: Job; preview: Preview; shown: number; show: (index: number) => void }) {
  const { preview, shown } = props;
  return (
    <ul class="strip" aria-label={texts.pick.strip}>
      {inOrder(preview).map(([frame, index], place) => (
        <li key={frame.frame_key}>
          <button
            class="moment"
            aria-pressed={index === shown}
            aria-label={texts.pick.frame(place + 1, clock(frame.time_sec), frame.tracks.length)}
            onClick={() => props.show(index)}
          >
            <Thumbnail job={props.job} preview={preview} frame={frame} />
            <span aria-hidden="true">{clock(frame.time_sec)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Frames are added behind the others; in the strip they stand where they belong. */
const inOrder = (preview: Preview): [Frame, number][] =>
  preview.frames
    .map((frame, index): [Frame, number] => [frame, index])
    .sort(([one], [other]) => one.time_sec - other.time_sec);

interface ElsewhereProps extends BenchProps {
  shown: number;
  show: (index: number) => void;
}

/** "Show me 63:20", or a stretch of the video's time: asks for frames, and shows the first of them when it is there. */
function Elsewhere({ job, preview, set, shown, show }: ElsewhereProps) {
  const [text, write] = useState("");
  const [wanted, want] = useState<number | undefined>(undefined);
  const [error, setError] = useState<unknown>(undefined);
  const [wrong, setWrong] = useState(false);
  const told = ready(job);
  useEffect(() => {
    if (wanted === undefined || preview.frames[wanted] === undefined) return;
    want(undefined);
    show(wanted);
  }, [wanted, preview]);
  const look = async (found: [number, number] | undefined): Promise<void> => {
    setWrong(found === undefined);
    setError(undefined);
    if (found === undefined) return;
    const [fromSec, toSec] = found;
    const here = preview.frames.findIndex((one) => Math.abs(one.time_sec - fromSec) <= 1 / preview.video.fps);
    if (fromSec === toSec && here >= 0) return show(here);
    try {
      const params = { path: { job_id: job.id }, query: { namespace: job.namespace } };
      const body = fromSec === toSec ? { atSec: [fromSec] } : { range: { fromSec, toSec } };
      set(await ask(api.value.POST("/jobs/{job_id}/preview", { params, body })));
      want(preview.frames.length);
      write("");
    } catch (failure) {
      setError(failure);
    }
  };
  const failed = told?.status === "True" && !["PreviewStored", "PreviewExtending"].includes(told.reason);
  const busy = told?.reason === "PreviewExtending";
  return (
    <>
      <Axis preview={preview} shown={shown} chosen={(from, to) => void look([from, to])} />
      <form
        class="elsewhere"
        onSubmit={(event) => {
          event.preventDefault();
          void look(stretch(text));
        }}
      >
        <label for="elsewhere">{texts.pick.elsewhere}</label>
        <input
          id="elsewhere"
          value={text}
          placeholder={texts.pick.elsewhereHint}
          inputMode="text"
          autocomplete="off"
          aria-invalid={wrong ? true : undefined}
          aria-describedby="elsewhere-told"
          onInput={(event) => write(event.currentTarget.value)}
        />
        <button class="outline secondary small" type="submit">
          {texts.pick.elsewhereButton}
        </button>
      </form>
      <p id="elsewhere-told" role="status" class="small" aria-busy={busy ? true : undefined}>
        {wrong && texts.pick.elsewhereWrong}
        {!wrong && busy && texts.pick.elsewhereBusy}
        {!wrong && failed && `${texts.pick.elsewhereFailed} ${codes[told.reason]?.[0] ?? ""} ${told.message}`}
      </p>
      <Problem error={error} close={() => setError(undefined)} />
    </>
  );
}

/** The video's time with the moments on it: a click asks for a moment, a drag for a stretch. */
function Axis(props: { preview: Preview; shown: number; chosen: (from: number, to: number) => void }) {
  const { preview, shown } = props;
  const surface = useRef<SVGSVGElement>(null);
  const [drag, setDrag] = useState<[number, number] | undefined>(undefined);
  const length = preview.video.duration_sec || 1;
  const begin = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    const held = (x: number): number => Math.min(1, Math.max(0, x));
    const from = held(spot(event, surface.current!).x);
    let to = from;
    const moved = (at: { x: number }): void => {
      to = held(at.x);
      setDrag([Math.min(from, to), Math.max(from, to)]);
    };
    dragging(event, surface.current!, moved, () => {
      setDrag(undefined);
      // The last picture is a little before the end.
      const [low, high] = [Math.min(from, to), Math.max(from, to)].map((x) => Math.round(x * length * 0.999 * 10) / 10);
      props.chosen(low!, Math.abs(to - from) < CLICK ? low! : high!);
    });
  };
  return (
    <svg class="axis" viewBox="0 0 1000 14" preserveAspectRatio="none" aria-hidden="true" ref={surface} onPointerDown={begin}>
      <rect x="0" y="6" width="1000" height="2" />
      {drag !== undefined && <rect class="drag" x={drag[0] * 1000} y="0" width={(drag[1] - drag[0]) * 1000} height="14" />}
      {preview.frames.map((frame, index) => (
        <rect
          key={frame.frame_key}
          class={index === shown ? "mark now" : "mark"}
          x={(frame.time_sec / length) * 996}
          y="0"
          width="4"
          height="14"
        />
      ))}
    </svg>
  );
}

/** A drag over less of the video's time is a click. */
const CLICK = 0.005;

function Thumbnail({ job, preview, frame }: { job: Job; preview: Preview; frame: Frame }) {
  const { value } = usePicture(job, preview, frame);
  return value === undefined ? <span class="empty" /> : <img src={value} alt="" />;
}

// --- the box that is confirmed -------------------------------------------------------------------------------------

interface ConfirmingProps extends BenchProps {
  frame: Frame;
  shown: number;
  picked: number | undefined;
  track: Track | undefined;
  pick: (track: Track) => void;
}

function firstBox({ job, frame, shown, track }: ConfirmingProps): Box | undefined {
  const draft = drafts.read(job);
  if (draft?.frame === shown) return draft.bbox;
  if (job.target?.confirmed && job.target.frame_key === frame.frame_key) return job.target.bbox;
  return track?.bbox;
}

function Confirming(props: ConfirmingProps) {
  const { job, frame, picked, track } = props;
  const [box, setBox] = useState(() => firstBox(props));
  const [drawing, setDrawing] = useState(false);
  const [mismatch, setMismatch] = useState<ApiError | undefined>(undefined);
  const draw = (next: Box): void => {
    setBox(next);
    setMismatch(undefined);
    drafts.write(job, { frame: props.shown, bbox: next });
  };
  return (
    <div class="bench">
      <Stage {...props} box={picked === undefined ? undefined : box} draw={draw} drawing={drawing} drawn={() => setDrawing(false)} />
      <aside aria-label={texts.pick.confirmTitle}>
        {picked === undefined ? (
          <p role="status">{texts.pick.nobody}</p>
        ) : (
          <>
            <h3>{texts.pick.confirmTitle}</h3>
            <p role="status">{texts.pick.picked(picked)}</p>
            <Loupe job={job} preview={props.preview} frame={frame} box={box} />
            <Overlap track={track} box={box} picked={picked} frame={frame} />
            <p class="small">{drawing ? texts.pick.drawing : texts.pick.confirmLead}</p>
            <div class="row">
              <button class="outline secondary small" aria-pressed={drawing} onClick={() => setDrawing(!drawing)}>
                {texts.pick.draw}
              </button>
              {track !== undefined && (
                <button class="outline secondary small" onClick={() => draw(track.bbox)}>
                  {texts.pick.reset}
                </button>
              )}
            </div>
            <Confirm {...props} box={box} refused={setMismatch} />
          </>
        )}
      </aside>
      {mismatch && box && (
        <Mismatch
          {...props}
          box={box}
          refusal={mismatch}
          use={() => track && draw(track.bbox)}
          again={() => {
            setMismatch(undefined);
            setDrawing(true);
          }}
        />
      )}
    </div>
  );
}

function Overlap(props: { track: Track | undefined; box: Box | undefined; picked: number; frame: Frame }) {
  const { track, box, frame } = props;
  if (track === undefined || box === undefined) {
    const text = frame.tracks.length > 0 ? texts.pick.notHere(props.picked) : texts.pick.iouNone;
    return <p role="status">{text}</p>;
  }
  const value = iou(box, track.bbox);
  const good = value >= IOU_THRESHOLD;
  return (
    <p role="status" class={good ? "good" : "bad"}>
      <meter min={0} max={1} low={IOU_THRESHOLD} value={value} aria-label={texts.pick.iou(told(value))} />{" "}
      {texts.pick.iou(told(value))}. {good ? texts.pick.iouGood : texts.pick.iouBad(IOU_THRESHOLD)}
    </p>
  );
}

/** Cut, not rounded, so that what is below the threshold never reads as the threshold. */
const told = (value: number): string => (Math.floor(value * 100 + 1e-9) / 100).toFixed(2);

interface ConfirmProps extends ConfirmingProps {
  box: Box | undefined;
  refused: (error: ApiError | undefined) => void;
}

/** The steps that an API call takes, and what it answered. */
function useSteps({ job, frame, box, set, refused }: ConfirmProps) {
  const [error, setError] = useState<unknown>(undefined);
  const [busy, setBusy] = useState(false);
  const params = { path: { job_id: job.id }, query: { namespace: job.namespace } };
  const take = async (confirm: boolean, start: boolean, force: boolean): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      if (confirm && box !== undefined) {
        const body = { frame_key: frame.frame_key, bbox: inside(box), force };
        set(await ask(api.value.POST("/jobs/{job_id}/target", { params, body })));
        refused(undefined);
      }
      if (start) set(await ask(api.value.POST("/jobs/{job_id}/enqueue", { params })));
    } catch (failure) {
      const mismatch = failure instanceof ApiError && failure.refusal.code === "TARGET_MISMATCH";
      if (mismatch) refused(failure);
      else setError(failure);
    }
    setBusy(false);
  };
  return { error, busy, take, close: () => setError(undefined) };
}

function Confirm(props: ConfirmProps) {
  const { error, busy, take, close } = useSteps(props);
  const { job, box, frame } = props;
  const target = job.target;
  const same =
    target !== null && target.confirmed && target.frame_key === frame.frame_key && box !== undefined && equal(target.bbox, box);
  const ready = job.progress.step === "READY_TO_ENQUEUE" && same;
  return (
    <>
      {ready && <p class="good">{target.force ? texts.pick.forced : texts.pick.confirmed}</p>}
      <div class="stack">
        <button aria-busy={busy} disabled={busy || box === undefined} onClick={() => void take(!ready, true, false)}>
          {ready ? texts.pick.startConfirmed : texts.pick.start}
        </button>
        {!ready && (
          <button class="secondary outline" disabled={busy || box === undefined} onClick={() => void take(true, false, false)}>
            {texts.pick.confirm}
          </button>
        )}
      </div>
      <Problem error={error} close={close} />
    </>
  );
}

const equal = (a: Box, b: Box): boolean =>
  (["x", "y", "w", "h"] as const).every((part) => Math.abs(a[part] - b[part]) < 1e-6);

interface MismatchProps extends ConfirmingProps {
  box: Box;
  refusal: ApiError;
  use: () => void;
  again: () => void;
}

/** Both boxes, what is wrong with them, and the three ways out. */
function Mismatch(props: MismatchProps) {
  const { error, busy, take, close } = useSteps({ ...props, refused: () => undefined });
  const panel = useRef<HTMLDivElement>(null);
  useEffect(() => panel.current?.focus(), []);
  const { iou: value, threshold } = props.refusal.refusal;
  return (
    <div class="problem mismatch" role="alertdialog" aria-labelledby="mismatch" tabIndex={-1} ref={panel}>
      <h3 id="mismatch">{texts.pick.mismatch}</h3>
      <p>{texts.pick.mismatchText(told(value ?? 0), threshold ?? IOU_THRESHOLD)}</p>
      <Both {...props} />
      <p class="small">{texts.pick.mismatchForce}</p>
      <div class="row">
        {props.track !== undefined && <button onClick={props.use}>{texts.pick.mismatchUse}</button>}
        <button class="secondary" onClick={props.again}>
          {texts.pick.mismatchDraw}
        </button>
        <button class="outline danger" aria-busy={busy} onClick={() => void take(true, false, true)}>
          {texts.pick.mismatchGo}
        </button>
      </div>
      <Problem error={error} close={close} />
    </div>
  );
}

function Both({ job, preview, frame, box, track }: MismatchProps) {
  const { value } = usePicture(job, preview, frame);
  const all = [box, ...(track ? [track.bbox] : [])];
  const x = Math.max(0, Math.min(...all.map((one) => one.x)) - 0.05);
  const y = Math.max(0, Math.min(...all.map((one) => one.y)) - 0.05);
  const w = Math.min(1, Math.max(...all.map((one) => one.x + one.w)) + 0.05) - x;
  const h = Math.min(1, Math.max(...all.map((one) => one.y + one.h)) + 0.05) - y;
  const { width, height } = frame;
  const at = (one: Box) => ({ x: one.x * width, y: one.y * height, width: one.w * width, height: one.h * height });
  return (
    <svg
      class="both"
      viewBox={`${x * width} ${y * height} ${w * width} ${h * height}`}
      role="img"
      aria-label={texts.pick.mismatchPicture}
    >
      {value !== undefined && <image href={value} width={width} height={height} preserveAspectRatio="none" />}
      {track !== undefined && <rect class="box-picked" {...at(track.bbox)} />}
      <rect class="box-confirmed" {...at(box)} />
    </svg>
  );
}

// --- the picture ---------------------------------------------------------------------------------------------------

interface StageProps extends ConfirmingProps {
  box: Box | undefined;
  draw: (box: Box) => void;
  drawing: boolean;
  drawn: () => void;
}

const ZOOMS = [1, 1.5, 2, 3, 4];

function Stage(props: StageProps) {
  const { job, preview, frame } = props;
  const { value, error } = usePicture(job, preview, frame);
  const [zoom, setZoom] = useState(0);
  const surface = useRef<HTMLDivElement>(null);
  const time = clock(frame.time_sec);
  return (
    <div class="stage">
      <div class="row zoom" role="group" aria-label={texts.pick.zoom}>
        <button class="outline secondary small" disabled={zoom === 0} onClick={() => setZoom(zoom - 1)}>
          {texts.pick.smaller}
        </button>
        <button class="outline secondary small" disabled={zoom === ZOOMS.length - 1} onClick={() => setZoom(zoom + 1)}>
          {texts.pick.larger}
        </button>
      </div>
      <div class="window">
        <div
          class={props.drawing ? "surface drawing" : "surface"}
          ref={surface}
          style={{ width: `${ZOOMS[zoom]! * 100}%`, aspectRatio: `${frame.width} / ${frame.height}` }}
          onPointerDown={(event) => startDrawing(event, surface.current!, props)}
        >
          {value !== undefined && <img src={value} alt={texts.pick.picture(time)} draggable={false} />}
          <People {...props} />
          {props.box !== undefined && <DraftBox {...props} box={props.box} surface={surface} />}
        </div>
      </div>
      <Problem error={error} />
      {frame.tracks.length === 0 && <p role="status">{texts.pick.noPeople}</p>}
    </div>
  );
}

const percent = (box: Box) => ({
  left: `${box.x * 100}%`,
  top: `${box.y * 100}%`,
  width: `${box.w * 100}%`,
  height: `${box.h * 100}%`,
});

const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Everybody's box. One of them can be reached with Tab; the arrows go to the next in that direction. */
function People({ frame, picked, pick }: StageProps) {
  const start = frame.tracks.find((one) => one.track_id === picked) ?? frame.tracks[0];
  const [at, setAt] = useState(start?.track_id);
  const list = useRef<HTMLDivElement>(null);
  const key = (event: KeyboardEvent, one: Track): void => {
    const arrow = ARROWS[event.key];
    if (arrow === undefined) return;
    event.preventDefault();
    const next = neighbour(one.bbox, frame.tracks, ...arrow);
    if (next === undefined) return;
    setAt(next.track_id);
    list.current?.querySelector<HTMLElement>(`[data-track="${next.track_id}"]`)?.focus();
  };
  if (frame.tracks.length === 0) return null;
  return (
    <div class="people" role="group" aria-label={texts.pick.people} ref={list}>
      {frame.tracks.map((one) => (
        <button
          key={one.track_id}
          class={one.track_id === picked ? "person picked" : "person"}
          data-track={one.track_id}
          tabIndex={one.track_id === at ? 0 : -1}
          aria-pressed={one.track_id === picked}
          aria-label={texts.pick.person(one.track_id, one.track_id === picked)}
          style={percent(one.bbox)}
          onFocus={() => setAt(one.track_id)}
          onKeyDown={(event) => key(event, one)}
          onClick={() => pick(one)}
        >
          <span aria-hidden="true">{one.track_id}</span>
        </button>
      ))}
    </div>
  );
}

/** Where the pointer is on the picture, in shares of it. */
function spot(event: PointerEvent, surface: Element): { x: number; y: number } {
  const there = surface.getBoundingClientRect();
  return { x: (event.clientX - there.left) / there.width, y: (event.clientY - there.top) / there.height };
}

/** Calls `moved` while the pointer is down. */
function dragging(event: PointerEvent, surface: Element, moved: (at: { x: number; y: number }) => void, up?: () => void): void {
  event.preventDefault();
  const move = (next: PointerEvent): void => moved(spot(next, surface));
  const stop = (): void => {
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", stop);
    removeEventListener("pointercancel", stop);
    up?.();
  };
  addEventListener("pointermove", move);
  addEventListener("pointerup", stop);
  addEventListener("pointercancel", stop);
}

function startDrawing(event: PointerEvent, surface: HTMLElement, props: StageProps): void {
  if (!props.drawing || event.button !== 0) return;
  const corner = spot(event, surface);
  dragging(event, surface, (at) => props.draw(between(corner, at)), props.drawn);
}

const STEP = 0.0025;
type Corner = "nw" | "ne" | "sw" | "se";

function DraftBox(props: StageProps & { box: Box; surface: { current: HTMLDivElement | null } }) {
  const { box, draw } = props;
  const key = (event: KeyboardEvent): void => {
    const arrow = ARROWS[event.key];
    if (arrow === undefined) return;
    event.preventDefault();
    const [dx, dy] = [arrow[0] * STEP, arrow[1] * STEP];
    draw(inside(event.shiftKey ? { ...box, w: box.w + dx, h: box.h + dy } : { ...box, x: box.x + dx, y: box.y + dy }));
  };
  const move = (event: PointerEvent): void => {
    if (props.drawing) return;
    const surface = props.surface.current!;
    const from = spot(event, surface);
    dragging(event, surface, (at) => draw(inside({ ...box, x: box.x + at.x - from.x, y: box.y + at.y - from.y })));
  };
  const size = (event: PointerEvent, corner: Corner): void => {
    event.stopPropagation();
    const fixed = {
      x: corner.endsWith("w") ? box.x + box.w : box.x,
      y: corner.startsWith("n") ? box.y + box.h : box.y,
    };
    dragging(event, props.surface.current!, (at) => draw(between(fixed, at)));
  };
  return (
    <div class="draft" style={percent(box)}>
      <button class="body" aria-label={texts.pick.boxLabel} onKeyDown={key} onPointerDown={move} />
      {(["nw", "ne", "sw", "se"] as const).map((corner) => (
        <span key={corner} class={`corner ${corner}`} onPointerDown={(event) => size(event, corner)} />
      ))}
    </div>
  );
}

/** The box enlarged, so that one sees who is in it. */
function Loupe({ job, preview, frame, box }: { job: Job; preview: Preview; frame: Frame; box: Box | undefined }) {
  const { value } = usePicture(job, preview, frame);
  if (value === undefined || box === undefined) return null;
  const { width, height } = frame;
  const side = Math.max(box.w * width, box.h * height) * 1.5;
  const [x, y] = [(box.x + box.w / 2) * width - side / 2, (box.y + box.h / 2) * height - side / 2];
  return (
    <svg class="loupe" viewBox={`${x} ${y} ${side} ${side}`} aria-hidden="true">
      <image href={value} width={width} height={height} preserveAspectRatio="none" />
      <rect class="box-picked" x={box.x * width} y={box.y * height} width={box.w * width} height={box.h * height} />
    </svg>
  );
}

/** Whom a job follows, to look at only. */
export function Picked({ job }: { job: Job }) {
  const { value: preview } = usePreview(job);
  const frame = preview?.frames.find((one) => one.frame_key === job.target?.frame_key);
  if (preview === undefined || frame === undefined || job.target === null) return null;
  return (
    <Section title={texts.pick.who} id="who">
      <div class="row">
        <Loupe job={job} preview={preview} frame={frame} box={job.target.bbox} />
        <p class="small">{texts.pick.frozen}</p>
      </div>
    </Section>
  );
}
