import { stripVTControlCharacters } from 'node:util';
import { formatBytes, formatDuration } from './units.ts';

/** Where a long task says what it does. A terminal shows the latest status in place; a pipe shows lines only. */
export interface Reporter {
  /** A line that stays. */
  line(text: string): void;
  /** What is happening at this moment; replaced by the next status or line, and not shown when piped. */
  status(text: string): void;
}

/** A reporter that says nothing. */
export const silent: Reporter = { line() {}, status() {} };

/** Milliseconds; a status that comes sooner is not worth a look. */
const betweenStatuses = 50;

/** A reporter on a stream: with a status line when it is a terminal, plain lines when it is not. */
export function streamReporter(stream: NodeJS.WriteStream): Reporter {
  if (!stream.isTTY) return { line: (text) => void stream.write(`${text}\n`), status() {} };
  const clear = '\r\u001b[K';
  let shown = Number.NEGATIVE_INFINITY;
  return {
    line: (text) => void stream.write(`${clear}${text}\n`),
    status: (text) => {
      const now = performance.now();
      if (now - shown < betweenStatuses) return;
      shown = now;
      stream.write(`${clear}${stripVTControlCharacters(text).slice(0, (stream.columns || 80) - 1)}`);
    },
  };
}

/** How far a long task is. */
export interface Progress {
  readonly done: number;
  /** Undefined as long as it is not known. */
  readonly total?: number;
  /** Bytes moved so far. */
  readonly bytes: number;
  /** Since the start. */
  readonly milliseconds: number;
}

/** How far a task is, for people: `120/480 blocks, 30.0 MiB, 15.0 MiB/s, 6 s left`. */
export function formatProgress(unit: string, { done, total, bytes, milliseconds }: Progress): string {
  const parts = [`${done}${total === undefined ? '' : `/${total}`} ${unit}`, formatBytes(bytes)];
  if (milliseconds >= 1000) {
    parts.push(`${formatBytes((bytes * 1000) / milliseconds)}/s`);
    if (total !== undefined && done > 0)
      parts.push(`${formatDuration((milliseconds * (total - done)) / done)} left`);
  }
  return parts.join(', ');
}
