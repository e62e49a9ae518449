import { opendir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { errnoOf, Failure } from '../base/errors.ts';
import { close, type ListenAddress, listen, urlOf } from './listen.ts';
import { ManifestShelf } from './manifest-shelf.ts';
import { openRegularFile } from './regular-file.ts';
import { parseRequestPath, type Resource } from './request-path.ts';
import { sendFile } from './send-file.ts';

export interface HubOptions {
  /** The directory whose `*.fl` are served. */
  readonly manifests: string;
  /** A `dir` store: `HH/ID`, or `ID` as older versions of it lay. */
  readonly blocks: string;
  /** Loopback and a free port by default. */
  readonly listen?: ListenAddress;
  /** Called once for each request, when its answer has ended. */
  readonly onAccess?: (access: Access) => void;
}

/** A request and how it was answered. */
export interface Access {
  readonly method: string;
  /** The request target, as it was sent. */
  readonly target: string;
  readonly status: number;
  /** Bytes of the body; 0 when it was not sent whole. */
  readonly bytes: number;
  /** False when the client went away before the end, or reading failed. */
  readonly complete: boolean;
  readonly milliseconds: number;
}

/** What a hub has served so far. */
export interface Traffic {
  readonly requests: number;
  readonly bytes: number;
}

export interface Hub {
  /** Where it answers, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  traffic(): Traffic;
  /** Takes no more requests, lets those under way end for a moment, and then ends every connection. */
  close(): Promise<void>;
}

const closeGrace = 2_000;

/**
 * Serves manifests and blocks over HTTP, which is all that a node needs: `/manifests/` (a JSON list), `/manifests/NAME.fl`,
 * `/blocks/HH/ID` (the layout of an rfs `http` store), `/blocks/ID`, `/health`; GET and HEAD. Four read-only routes need no
 * framework: this is node:http.
 * @throws Failure `conflict` when the port is taken, `denied` when it is not ours to take, `not-found` without the directories
 */
export async function startHub(options: HubOptions): Promise<Hub> {
  for (const directory of [options.manifests, options.blocks]) await requireDirectory(directory);
  const shelf = new ManifestShelf(options.manifests);
  const traffic = { requests: 0, bytes: 0 };
  const server = createServer({ keepAliveTimeout: 30_000, requestTimeout: 30_000 }, (request, response) => {
    observe(request, response, (access) => {
      traffic.requests++;
      traffic.bytes += access.bytes;
      options.onAccess?.(access);
    });
    answer(request, response, options, shelf).catch((error) => answerError(response, error));
  });
  server.maxConnections = 1024;
  let closed: Promise<void> | undefined;
  const address = await listen(server, options.listen ?? { host: '127.0.0.1', port: 0 });
  return {
    url: urlOf(address),
    port: address.port,
    traffic: () => ({ ...traffic }),
    close: () => {
      closed ??= close(server, closeGrace);
      return closed;
    },
  };
}

async function requireDirectory(path: string): Promise<void> {
  try {
    await (await opendir(path)).close();
  } catch (cause) {
    throw new Failure('not-found', `the hub cannot serve from ${path}`, {
      cause,
      hint: 'publish the flists first, or name the directories that hold them',
    });
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { blocks }: HubOptions,
  shelf: ManifestShelf,
): Promise<void> {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    // Nothing reads the body of such a request, so its connection cannot be used again.
    response.setHeader('Connection', 'close');
    return sendText(response, 405, 'only GET and HEAD\n', { Allow: 'GET, HEAD' });
  }
  const resource = parseRequestPath(request.url ?? '');
  const found = resource && (await serve(resource, request, response, blocks, shelf));
  if (!found) sendText(response, 404, 'not found\n');
}

/** Answers with a resource; false when there is no such thing. */
async function serve(
  resource: Resource,
  request: IncomingMessage,
  response: ServerResponse,
  blocks: string,
  shelf: ManifestShelf,
): Promise<boolean> {
  switch (resource.kind) {
    case 'health':
      sendJson(response, { status: 'ok', manifests: (await shelf.names()).length });
      return true;
    case 'manifest-list':
      sendJson(response, await shelf.list());
      return true;
    case 'manifest': {
      const opened = await shelf.open(resource.name);
      if (!opened) return false;
      await sendFile(request, response, opened.file, {
        tag: opened.sha256,
        contentType: 'application/vnd.sqlite3',
        cacheControl: 'no-cache', // ask each time whether it is still the same
      });
      return true;
    }
    case 'block': {
      const { id } = resource;
      const file =
        (await openRegularFile(join(blocks, id.slice(0, 2), id))) ??
        (await openRegularFile(join(blocks, id)));
      if (!file) return false;
      await sendFile(request, response, file, {
        tag: id, // a block's name is the digest of its bytes
        contentType: 'application/octet-stream',
        cacheControl: 'public, max-age=31536000, immutable',
      });
      return true;
    }
  }
}

function sendJson(response: ServerResponse, value: unknown): void {
  sendText(response, 200, `${JSON.stringify(value, null, 2)}\n`, { 'Content-Type': 'application/json' });
}

/** A short answer; of a HEAD, node:http sends the headers only. */
function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    ...headers,
  });
  response.end(text);
}

/** After a failure: 500 when nothing was sent yet, else the connection ends, so that no short answer passes for a whole one. */
function answerError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  const denied = ['EACCES', 'EPERM'].includes(errnoOf(error) ?? '');
  sendText(response, 500, `${denied ? 'the hub may not read that' : 'the hub cannot read that'}\n`);
}

/** Tells `onAccess` of a request when its answer has ended. */
function observe(
  request: IncomingMessage,
  response: ServerResponse,
  onAccess: (access: Access) => void,
): void {
  const started = performance.now();
  const hasBody = () => request.method !== 'HEAD' && response.statusCode !== 304;
  response.once('close', () => {
    const complete = response.writableFinished;
    onAccess({
      method: request.method ?? '',
      target: request.url ?? '',
      status: response.statusCode,
      bytes: complete && hasBody() ? Number(response.getHeader('Content-Length')) : 0,
      complete,
      milliseconds: performance.now() - started,
    });
  });
}
