import { once } from 'node:events';
import { chmod, lstat, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import { errnoOf, Failure } from '../../base/errors.ts';
import type { MountFigures } from './figures.ts';
import { formatMetrics, metricsType } from './prometheus.ts';

/** The longest path of a Unix socket in bytes (unix(7)). */
const longestPath = 107;

/** HTTP on a Unix socket that only its owner may use: `/metrics` for Prometheus, `/figures` as JSON for `rfs top`. */
export class StatsEndpoint {
  readonly #path: string;
  readonly #inode: bigint;
  readonly #server: Server;

  private constructor(path: string, inode: bigint, server: Server) {
    this.#path = path;
    this.#inode = inode;
    this.#server = server;
  }

  /**
   * Listens on a path, in place of a socket that lies there: a predecessor that has died may have left it.
   * @throws Failure when it cannot be made
   */
  static async open(path: string, figures: () => MountFigures): Promise<StatsEndpoint> {
    if (Math.max(Buffer.byteLength(path), Buffer.byteLength(temporarySocket(path))) > longestPath)
      throw new Failure('usage', `${path} is too long for a socket`, {
        hint: 'give --stats a shorter path',
      });
    const server = createServer((request, response) => answer(request, response, figures));
    server.unref();
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await requireSocketOrNothing(path);
      return new StatsEndpoint(path, await listenPrivately(server, path), server);
    } catch (cause) {
      server.close();
      throw new Failure(errnoOf(cause) === 'EACCES' ? 'denied' : 'failed', `cannot listen on ${path}`, {
        cause,
        hint: 'give --stats the path of a socket that can be made, or --stats off',
      });
    }
  }

  /** A socket that a successor has put in its place stays. */
  async close(): Promise<void> {
    const there = await lstat(this.#path, { bigint: true }).catch(() => undefined);
    if (there?.ino === this.#inode) await rm(this.#path, { force: true });
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** The name of a socket that is being made for a path; `XXXXXX` is what mkdtemp(3) chooses. */
const temporarySocket = (path: string, directory = join(dirname(path), '.XXXXXX')) => join(directory, 's');

async function requireSocketOrNothing(path: string): Promise<void> {
  const there = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
  });
  if (there && !there.isSocket()) throw new Error('something else than a socket is there');
}

/** Makes the socket where nobody else sees it, so that there is no moment at which others could use it. Returns its inode. */
async function listenPrivately(server: Server, path: string): Promise<bigint> {
  const directory = await mkdtemp(join(dirname(path), '.'));
  try {
    const socket = temporarySocket(path, directory);
    server.listen(socket);
    await once(server, 'listening');
    await chmod(socket, 0o600);
    const { ino } = await lstat(socket, { bigint: true });
    await rename(socket, path);
    return ino;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function answer(request: IncomingMessage, response: ServerResponse, figures: () => MountFigures): void {
  const isAsked = request.method === 'GET' || request.method === 'HEAD';
  if (!isAsked) response.writeHead(405, { allow: 'GET, HEAD' }).end();
  else if (request.url === '/metrics') send(response, metricsType, formatMetrics(figures()));
  else if (request.url === '/figures') send(response, 'application/json', JSON.stringify(figures()));
  else response.writeHead(404).end('there are /metrics and /figures\n');
}

function send(response: ServerResponse, type: string, text: string): void {
  response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(text);
}
