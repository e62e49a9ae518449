import { readdir, readFile } from 'node:fs/promises';
import { run } from '../../src/base/exec.ts';

/** The mount on a directory: the process that serves it (a flist's mount names it as its source), and its type. */
export async function mountOn(directory: string): Promise<{ pid: number; type: string } | undefined> {
  for (const line of (await readFile('/proc/self/mounts', 'utf8')).split('\n')) {
    const [source, mountpoint, type] = line.split(' ');
    if (mountpoint === directory) return { pid: Number(source), type: type! };
  }
  return undefined;
}

/** The processes whose command line speaks of `text`, by pid. */
export async function processesAbout(text: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found: string[] = [];
  for (const pid of pids) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(text)) found.push(`${pid}: ${command.replaceAll('\0', ' ')}`);
  }
  return found;
}

/** Waits for the end of a process that is not a child of this one. */
export async function ended(pid: number): Promise<void> {
  await run('tail', [`--pid=${pid}`, '-f', '/dev/null']);
}
