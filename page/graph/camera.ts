/* Which part of a drawing is seen: pointer, wheel and keyboard move it. */
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface Camera {
  /** Of the drawing's origin, in pixels of the screen. */
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

const least = 0.15;
const most = 3;
const readable = 0.6;

export function zoomed(camera: Camera, factor: number, at: { x: number; y: number }): Camera {
  const zoom = Math.min(most, Math.max(least, camera.zoom * factor));
  const scale = zoom / camera.zoom;
  return { zoom, x: at.x - (at.x - camera.x) * scale, y: at.y - (at.y - camera.y) * scale };
}

/** All of a drawing, but no smaller than can be read, unless all is wanted. */
export function fitted(drawing: Size, screen: Size, all = false): Camera {
  const whole = Math.min(1, screen.width / drawing.width, screen.height / drawing.height);
  const zoom = Math.max(all ? least : readable, whole);
  const x = Math.max((screen.width - drawing.width * zoom) / 2, all ? -Infinity : 0);
  const spare = screen.height - drawing.height * zoom;
  // The layers at the bottom are what the rest depends on: where not all fits, they are what is seen.
  return { zoom, x, y: spare > 0 ? spare / 2 : spare };
}

export function parseCamera(text: string | undefined): Camera | undefined {
  const [x, y, zoom] = (text ?? '').split(',').map(Number);
  if (x === undefined || y === undefined || zoom === undefined) return undefined;
  if (![x, y, zoom].every(Number.isFinite) || zoom < least || zoom > most) return undefined;
  return { x, y, zoom };
}

export const cameraText = ({ x, y, zoom }: Camera): string => `${Math.round(x)},${Math.round(y)},${zoom.toFixed(3)}`;

/** @param settled called when a movement has ended */
export function useCamera(drawing: Size, first: Camera | undefined, settled: (camera: Camera) => void) {
  const screen = useRef<SVGSVGElement>(null);
  const [camera, setCamera] = useState<Camera | undefined>(first);
  const moved = useRef(first !== undefined);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const sizeOf = (): Size => {
    const box = screen.current?.getBoundingClientRect();
    return { width: box?.width ?? 800, height: box?.height ?? 600 };
  };
  const move = (change: (camera: Camera) => Camera) => {
    moved.current = true;
    setCamera((now) => {
      const next = change(now ?? fitted(drawing, sizeOf()));
      clearTimeout(timer.current);
      timer.current = setTimeout(() => settled(next), settleMs);
      return next;
    });
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  useLayoutEffect(() => {
    const fitAnew = () => {
      if (!moved.current) setCamera(fitted(drawing, sizeOf()));
    };
    fitAnew();
    addEventListener('resize', fitAnew);
    return () => {
      removeEventListener('resize', fitAnew);
    };
  }, [drawing.width, drawing.height]);
  useWheel(screen, drawing, (factor, at) => move((now) => zoomed(now, factor, at)));
  const zoomBy = (factor: number) => {
    const { width, height } = sizeOf();
    move((now) => zoomed(now, factor, { x: width / 2, y: height / 2 }));
  };
  const fit = () => move(() => fitted(drawing, sizeOf(), true));
  const pan = (dx: number, dy: number) => move((now) => ({ ...now, x: now.x + dx, y: now.y + dy }));
  /** Moves no more than is needed to see a point. */
  const reveal = (x: number, y: number) => {
    const { width, height } = sizeOf();
    const now = camera ?? fitted(drawing, { width, height });
    const at = { x: x * now.zoom + now.x, y: y * now.zoom + now.y };
    const inside = (value: number, end: number) => Math.min(Math.max(value, border), Math.max(border, end - border));
    const [dx, dy] = [inside(at.x, width) - at.x, inside(at.y, height) - at.y];
    if (dx !== 0 || dy !== 0) pan(dx, dy);
  };
  return { screen, camera: camera ?? { x: 0, y: 0, zoom: 1 }, zoomBy, fit, pan, reveal };
}

/** Calls back where the wheel is turned. */
function useWheel(
  screen: RefObject<SVGSVGElement | null>,
  drawing: Size,
  turned: (factor: number, at: { x: number; y: number }) => void,
) {
  useEffect(() => {
    const element = screen.current;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const box = element?.getBoundingClientRect();
      const at = { x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) };
      turned(Math.exp(-event.deltaY / 400), at);
    };
    // Not passive: the page must not scroll as well.
    element?.addEventListener('wheel', onWheel, { passive: false });
    return () => element?.removeEventListener('wheel', onWheel);
  }, [drawing.width, drawing.height]);
}

const settleMs = 250;
const border = 110;
