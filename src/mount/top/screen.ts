import type { ReadStream, WriteStream } from 'node:tty';

/** How a control sequence begins (ECMA-48, section 5.4). */
const csi = '\u001b[';
/** The other screen, no cursor, and no going on in the next line (xterm's private modes). */
const begin = `${csi}?1049h${csi}?25l${csi}?7l`;
const end = `${csi}?7h${csi}?25h${csi}?1049l`;
/** q, and what Ctrl-C and Ctrl-D send. */
const quitKeys: readonly number[] = [0x71, 0x03, 0x04];

/**
 * The whole terminal for lines that change: its other screen, without the cursor. A picture is written over the former one, so nothing
 * flickers. `close` gives the terminal back as it was.
 */
export class Screen {
  readonly #input: ReadStream;
  readonly #output: WriteStream;
  readonly #quit: () => void;
  readonly #onKeys = (keys: Buffer) => {
    if (keys.some((key) => quitKeys.includes(key))) this.#quit();
  };

  /** @param quit called when somebody presses q, Ctrl-C or Ctrl-D */
  constructor(input: ReadStream, output: WriteStream, quit: () => void) {
    this.#input = input;
    this.#output = output;
    this.#quit = quit;
    input.setRawMode(true);
    input.on('data', this.#onKeys);
    output.write(begin);
  }

  /** Shows what fits of these lines. */
  show(lines: readonly string[]): void {
    const { columns, rows } = this.#output;
    const shown = lines.slice(0, rows).map((line) => `${[...line].slice(0, columns).join('')}${csi}K`);
    this.#output.write(`${csi}H${shown.join('\r\n')}${csi}J`);
  }

  close(): void {
    this.#output.write(end);
    this.#input.off('data', this.#onKeys);
    this.#input.setRawMode(false);
    this.#input.pause();
  }
}
