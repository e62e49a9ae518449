/** What every console line of a booted node's own software starts with. */
export const nodePrefix = 'zos: ';

/** The start of a kernel message on the console: `[    3.051914] `. */
export const kernelMessage = /\[ *\d+\.\d{6}\] /;

/**
 * Puts the node's lines together again where a kernel message broke into them. The kernel writes whole lines to the serial
 * port whenever it wants; the rest of the interrupted line follows after them:
 *
 *     zos: reached co[    3.051914] e1000e: probe
 *     ldplug modules=3
 */
export class NodeLineMender {
  /** The beginning of a node line whose rest is still to come. */
  #head = '';

  /** The whole lines that `line` makes known, in the order in which they were begun. */
  push(line: string): string[] {
    const message = line.search(kernelMessage);
    if (message === 0) return [line];
    if (this.#head !== '') return this.#continue(line);
    if (message < 0 || !mayStartNodeLine(line.slice(0, message)) || isWholeReport(line)) return [line];
    this.#head = line.slice(0, message);
    return [line.slice(message)];
  }

  #continue(line: string): string[] {
    const head = this.#head;
    this.#head = '';
    return line.startsWith(nodePrefix) ? [head, ...this.push(line)] : this.push(head + line);
  }
}

/** Also behind a prompt, which ends without a line end. */
function mayStartNodeLine(text: string): boolean {
  return text.includes(nodePrefix) || nodePrefix.startsWith(text);
}

/** A report may quote kernel messages; then it is still valid JSON. */
function isWholeReport(line: string): boolean {
  const start = `${nodePrefix}report `;
  if (!line.startsWith(start)) return false;
  try {
    JSON.parse(line.slice(start.length));
    return true;
  } catch {
    return false;
  }
}
