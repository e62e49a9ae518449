import { lstat, realpath } from 'node:fs/promises';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { errnoOf, Failure } from '../../base/errors.ts';
import { findMount } from '../../fuse/mount-table.ts';
import type { MountFigures } from '../stats/figures.ts';
import { knownSockets, socketOf } from '../stats/socket-paths.ts';

/** Milliseconds that a mount has to answer. */
const patience = 2000;

/** The sockets that are meant: that of a path, of the mount on a directory, or without a name all of this user. */
export async function socketsOf(name?: string): Promise<string[]> {
  if (name === undefined) return knownSockets();
  const stats = await lstat(name).catch(() => undefined);
  if (stats?.isSocket()) return [name];
  const mount = stats && (await findMount(await realpath(name)));
  const socket = mount?.type === 'fuse.g8ufs' ? socketOf(mount.source) : undefined;
  if (socket === undefined)
    throw new Failure('not-found', `${name} is neither the socket of a mount nor a mounted flist`, {
      hint: 'give the directory that a flist is mounted on, or what its mount was given as --stats',
    });
  return [socket];
}

/** The figures of each mount that answers, by its socket. */
export async function readAllFigures(sockets: readonly string[]): Promise<Map<string, MountFigures>> {
  const answers = await Promise.allSettled(sockets.map(readFigures));
  const figures = answers.flatMap((answer, i) =>
    answer.status === 'fulfilled' ? [[sockets[i]!, answer.value] as const] : [],
  );
  return new Map(figures.sort(([, a], [, b]) => (a.mountpoint < b.mountpoint ? -1 : 1)));
}

/** @throws Failure `unavailable` when nobody answers there, `denied` when it is somebody else's */
export async function readFigures(socketPath: string): Promise<MountFigures> {
  try {
    const body = await get(socketPath);
    return JSON.parse(body) as MountFigures;
  } catch (cause) {
    const isDenied = errnoOf(cause) === 'EACCES';
    throw new Failure(isDenied ? 'denied' : 'unavailable', `no mount answers on ${socketPath}`, {
      cause,
      hint: isDenied
        ? 'run as the user who mounted it'
        : 'look whether it is still mounted, and not with --stats off',
    });
  }
}

function get(socketPath: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const signal = AbortSignal.timeout(patience);
  request({ socketPath, path: '/figures', signal, agent: false }, (response) => {
    if (response.statusCode === 200) text(response).then(resolve, reject);
    else reject(new Error(`it answers ${response.statusCode}`));
  })
    .on('error', reject)
    .end();
  return promise;
}
