import { bounded } from '../base/bounded.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { describeError, Failure } from '../base/errors.ts';
import { writeAtomic } from '../base/files.ts';
import { httpSend } from '../base/http.ts';
import { publicAddress } from './flist-settings.ts';

/** Larger manifests are refused: a manifest is read into memory whole. */
const maxManifestSize = 256 * 1024 * 1024;
/** Milliseconds for one try, its transfer included. */
const tryTimeout = 60_000;
/** Milliseconds before the second try; doubled for each one after, up to the longest. */
const firstPause = 500;
const longestPause = 8000;

export interface FetchOptions {
  /** Seconds after which a failed try is the last. */
  readonly patience: number;
  /** Hears why a try failed and when the next one comes. */
  readonly note: (text: string) => void;
  readonly maxSize?: number;
  readonly clock?: Clock;
}

/**
 * Downloads a manifest to `file` as soon as its server has it: waits for a server that is not up, a network that is not
 * there and a manifest that is not published yet, with growing pauses. `file` appears whole or not at all.
 * @throws Failure `unavailable` with the last reason when patience ends, `hostile` at once for one that is too large
 */
export async function fetchManifest(url: URL, file: string, options: FetchOptions): Promise<void> {
  const { patience, note, maxSize = maxManifestSize, clock = systemClock } = options;
  const end = clock.now() + patience * 1000;
  for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
    try {
      await download(url, file, maxSize);
      return;
    } catch (error) {
      if (error instanceof Failure && error.kind === 'hostile') throw error;
      const left = end - clock.now();
      if (left <= 0)
        throw new Failure(
          'unavailable',
          `${publicAddress(url)} did not come${patience > 0 ? ` within ${patience} s` : ''}`,
          {
            cause: error,
            hint: 'is the hub up, and does the node reach it?',
          },
        );
      const next = Math.min(pause, left);
      note(
        `${publicAddress(url)}: ${describeError(error)}; next try in ${(next / 1000).toFixed(1)} s, the last in ${Math.ceil(left / 1000)} s`,
      );
      await clock.sleep(next);
    }
  }
}

async function download(url: URL, file: string, maxSize: number): Promise<void> {
  const answer = await httpSend(url, { signal: AbortSignal.timeout(tryTimeout) });
  if (!answer.ok) {
    answer.discard();
    throw new Failure('unavailable', `the server answers ${answer.status}`);
  }
  await writeAtomic(file, bounded(answer.body, maxSize, publicAddress(url)), { sync: false });
}
