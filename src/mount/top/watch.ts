import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReadStream, WriteStream } from 'node:tty';
import type { MountFigures } from '../stats/figures.ts';
import { readAllFigures, readFigures, socketsOf } from './read-figures.ts';
import { Screen } from './screen.ts';
import { mountLines } from './view.ts';

/** Milliseconds between two looks. */
const interval = 1000;

const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Terminal {
  readonly input: ReadStream;
  readonly output: WriteStream;
}

/**
 * Shows what mounts do, every second anew, until somebody quits. In a terminal in place, elsewhere as text, one look
 * behind the other.
 * @param name as `socketsOf` takes it
 * @throws Failure when that one mount does not answer at the beginning
 */
export async function watchMounts(name: string | undefined, { input, output }: Terminal): Promise<void> {
  const [first] = await socketsOf(name);
  if (name !== undefined) await readFigures(first!);
  const ended = new AbortController();
  const quit = () => ended.abort();
  for (const signal of endSignals) process.once(signal, quit);
  const screen = output.isTTY && input.isTTY ? new Screen(input, output, quit) : undefined;
  try {
    let before = new Map<string, MountFigures>();
    while (!ended.signal.aborted) {
      const after = await readAllFigures(await socketsOf(name).catch(() => []));
      const lines = picture(before, after);
      if (screen) screen.show([`rfs top   ${new Date().toLocaleTimeString('sv')}   q quits`, '', ...lines]);
      else if (!output.write(`${lines.join('\n')}\n`)) await once(output, 'drain');
      before = after;
      await sleep(interval, undefined, { signal: ended.signal }).catch(() => {});
    }
  } finally {
    screen?.close();
    for (const signal of endSignals) process.off(signal, quit);
  }
}

function picture(
  before: ReadonlyMap<string, MountFigures>,
  after: ReadonlyMap<string, MountFigures>,
): string[] {
  if (after.size === 0) return ['no flist is mounted, or its mount does not answer'];
  return [...after].flatMap(([socket, figures]) => {
    const former = before.get(socket);
    const isSame = former?.mounted === figures.mounted && former.pid === figures.pid;
    return [...mountLines({ before: isSame ? former : undefined, after: figures }), ''];
  });
}
