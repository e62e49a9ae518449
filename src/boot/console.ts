/** The longest line that the assembler keeps, in UTF-16 code units; a node's report is one long line. */
export const maxConsoleLine = 1 << 20;

/**
 * Makes lines of text out of the bytes of a serial console: however the bytes are cut into chunks, and whatever noise is
 * among them, each line comes out once, without its line end, escape sequences and control characters (a tab stays).
 * Bytes that are no UTF-8 become U+FFFD. What goes beyond `limit` in a line is dropped, so memory is bounded.
 */
export class LineAssembler {
  readonly #decoder = new TextDecoder();
  readonly #limit: number;
  #pending = '';

  constructor(limit: number = maxConsoleLine) {
    this.#limit = limit;
  }

  /** The lines that `chunk` completes. */
  push(chunk: Uint8Array): string[] {
    return this.#take(this.#decoder.decode(chunk, { stream: true }));
  }

  /** The lines that are left when the console is closed: a last one without a line end, or none. */
  end(): string[] {
    const lines = this.#take(this.#decoder.decode());
    const rest = plainText(this.#pending);
    this.#pending = '';
    return rest === '' ? lines : [...lines, rest];
  }

  #take(text: string): string[] {
    const parts = text.split('\n');
    const lines: string[] = [];
    for (const [index, part] of parts.entries()) {
      this.#pending += part.slice(0, this.#limit - this.#pending.length);
      if (index === parts.length - 1) break;
      lines.push(plainText(this.#pending));
      this.#pending = '';
    }
    return lines;
  }
}

const esc = '\u001b';
const bell = '\u0007';

/**
 * Escape sequences as ECMA-48 forms them: control sequences, operating system commands and the short ones. Where one attempt
 * to match ends the next begins, so it takes linear time on any input, which `util.stripVTControlCharacters` does not.
 */
const escapeSequence = new RegExp(
  `${esc}(?:\\[[0-?]*[ -/]*[@-~]|\\][^${bell}${esc}]*(?:${bell}|${esc}\\\\)|[ -/]*[0-Z\\\\^-~])`,
  'g',
);

function plainText(raw: string): string {
  return raw.replace(escapeSequence, '').replace(/[^\P{Cc}\t]/gu, '');
}
