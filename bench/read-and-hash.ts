import { availableParallelism } from 'node:os';
import { run } from '../src/base/exec.ts';

const script = 'find "$1" -type f -print0 | xargs -0 -n 64 -P "$2" b2sum -l 256 >/dev/null';

/** Reads every file below a directory and hashes it as block ids are, as many at one time as there are cores, with Debian's coreutils. */
export async function readAndHash(directory: string): Promise<void> {
  await run('sh', ['-c', script, 'sh', directory, `${availableParallelism()}`]);
}
