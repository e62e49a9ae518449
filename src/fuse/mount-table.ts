import { readFile } from 'node:fs/promises';

/** One mount of this process's mount namespace, from `/proc/self/mountinfo` (proc_pid_mountinfo(5)). */
export interface MountEntry {
  /** `MAJOR:MINOR` of the device that files on it report. */
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
  readonly source: string;
}

/** The mount that is seen at a directory: the last of those stacked there. Undefined when none is. */
export async function findMount(mountpoint: string): Promise<MountEntry | undefined> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8')).findLast(
    (mount) => mount.mountpoint === mountpoint,
  );
}

/** The mounts of a mountinfo text in its order. Lines that are not of its form are left out. */
export function parseMountInfo(text: string): MountEntry[] {
  const mounts: MountEntry[] = [];
  for (const line of text.split('\n')) {
    const [left, right] = line.split(' - ');
    const [, , device, , mountpoint] = left!.split(' ');
    const [type, source] = right?.split(' ') ?? [];
    if (device === undefined || mountpoint === undefined || type === undefined || source === undefined)
      continue;
    mounts.push({ device, mountpoint: unescapeOctal(mountpoint), type, source: unescapeOctal(source) });
  }
  return mounts;
}

/** Undoes the octal escapes of space, tab, newline and backslash; the bytes are UTF-8. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
