import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LineAssembler } from './console.ts';
import { BootWatch } from './watch.ts';

/** A recorded console of a real boot under QEMU, as bytes. */
export function transcript(name: string): Buffer {
  return readFileSync(join(import.meta.dirname, 'transcripts', `${name}.txt`));
}

/** What a watch makes of a recorded console; a line comes at the time of its number. */
export function watchTranscript(name: string): BootWatch {
  const watch = new BootWatch();
  const assembler = new LineAssembler();
  const lines = [...assembler.push(transcript(name)), ...assembler.end()];
  for (const [index, line] of lines.entries()) watch.feed(line, index);
  return watch;
}
