import { StringDecoder } from 'node:string_decoder';

/** Lines that the ring keeps over all services; zinit's. */
const defaultCapacity = 2000;
/** Longer lines are cut, so that a program that prints no line feed cannot fill the memory. */
const maxLineLength = 4096;

/** The last lines that services printed, in zinit's form: `[+] name: text`, `[-] name: text` for the error output. */
export class LogRing {
  readonly #capacity: number;
  readonly #lines: string[] = [];
  readonly #last = new Map<string, string>();

  constructor(capacity = defaultCapacity) {
    this.#capacity = capacity;
  }

  /** A line of the service `name`; `-` for its error output. */
  add(sign: '+' | '-', name: string, text: string): void {
    this.#lines.push(`[${sign}] ${name}: ${text}`);
    if (this.#lines.length > this.#capacity) this.#lines.shift();
    if (text.trim() !== '') this.#last.set(name, text);
  }

  lines(): readonly string[] {
    return this.#lines;
  }

  /** The last line of a service that is not blank. */
  lastLine(name: string): string | undefined {
    return this.#last.get(name);
  }
}

/** Cuts chunks of a program's output into lines: call it with each chunk, and with nothing at the end. */
export function lineSplitter(line: (text: string) => void): (chunk?: Uint8Array) => void {
  const decoder = new StringDecoder();
  let pending = '';
  return (chunk) => {
    pending += chunk ? decoder.write(chunk) : decoder.end();
    const lines = pending.split('\n');
    pending = lines.pop()!;
    for (const text of lines) line(text.slice(0, maxLineLength).replace(/\r$/, ''));
    const cut = pending.length > maxLineLength;
    if (cut || (!chunk && pending !== '')) {
      line(pending.slice(0, maxLineLength));
      pending = '';
    }
  };
}
