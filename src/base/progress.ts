import { stripVTControlCharacters } from 'node:util';

/** Where a long task says what it does. A terminal shows the latest status in place; a pipe shows lines only. */
export interface Reporter {
  /** A line that stays. */
  line(text: string): void;
  /** What is happening at this moment; replaced by the next status or line, and not shown when piped. */
  status(text: string): void;
}

/** A reporter that says nothing. */
export const silent: Reporter = { line() {}, status() {} };

/** A reporter on a stream: with a status line when it is a terminal, plain lines when it is not. */
export function streamReporter(stream: NodeJS.WriteStream): Reporter {
  if (!stream.isTTY) return { line: (text) => void stream.write(`${text}\n`), status() {} };
  const clear = '\r\u001b[K';
  return {
    line: (text) => void stream.write(`${clear}${text}\n`),
    status: (text) =>
      void stream.write(`${clear}${stripVTControlCharacters(text).slice(0, (stream.columns || 80) - 1)}`),
  };
}
