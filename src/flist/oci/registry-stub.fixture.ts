import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { digestOf } from './digest.ts';
import type { MadeImage } from './image.fixture.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** A server on loopback that notes what it is asked. */
export class TestServer {
  readonly requests: {
    readonly method: string;
    readonly url: string;
    readonly headers: IncomingMessage['headers'];
  }[] = [];
  readonly #server: Server;

  private constructor(handler: Handler) {
    this.#server = createServer((request, response) => {
      const { method = '', url = '', headers } = request;
      this.requests.push({ method, url, headers });
      void handler(request, response);
    });
  }

  static async start(handler: Handler): Promise<TestServer> {
    const server = new TestServer(handler);
    await once(server.#server.listen(0, '127.0.0.1'), 'listening');
    return server;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export interface StubRegistry {
  readonly server: TestServer;
  /** `host/repository:tag`, for short. */
  readonly name: string;
  /** Blobs and manifests by digest, which a test may change. */
  readonly blobs: Map<string, { readonly type: string; readonly bytes: Uint8Array }>;
}

export interface StubOptions {
  /** Comes before each request; true when it was answered. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;
}

/** A registry with one image, `app:1`, and others by digest. */
export async function stubRegistry(
  image: MadeImage,
  { intercept = () => false }: StubOptions = {},
): Promise<StubRegistry & AsyncDisposable> {
  const blobs: StubRegistry['blobs'] = new Map();
  for (const [digest, bytes] of image.blobs) blobs.set(digest, { type: 'application/octet-stream', bytes });
  const tagged = { type: image.manifest.mediaType, bytes: image.blobs.get(image.manifest.digest)! };
  blobs.set(image.manifest.digest, tagged);
  const server = await TestServer.start(async (request, response) => {
    if (await intercept(request, response)) return;
    const [, kind, reference] = /^\/v2\/app\/(manifests|blobs)\/(.+)$/.exec(request.url ?? '') ?? [];
    const found = kind === 'manifests' && reference === '1' ? tagged : blobs.get(reference ?? '');
    if (found === undefined) {
      const errors = [{ code: 'MANIFEST_UNKNOWN', message: 'no such thing' }];
      response.writeHead(404, { 'content-type': 'application/json' }).end(JSON.stringify({ errors }));
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const rest = found.bytes.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-type': found.type,
      'content-length': rest.length,
      ...(kind === 'manifests' && { 'docker-content-digest': digestOf(found.bytes) }),
      ...(from > 0 && { 'content-range': `bytes ${from}-${found.bytes.length - 1}/${found.bytes.length}` }),
    });
    response.end(rest);
  });
  return {
    server,
    name: `${server.host}/app:1`,
    blobs,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Reads the body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
