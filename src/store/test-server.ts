import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A web server on loopback that ends with the running test. */
export interface TestServer {
  readonly url: string;
  /** `METHOD path` of every request so far. */
  readonly requests: string[];
  /** Connections so far. */
  readonly connections: () => number;
}

/** Starts a server for a test. */
export async function serve(listener: RequestListener): Promise<TestServer> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    listener(request, response);
  });
  server.on('connection', (socket) => {
    connections++;
    sockets.add(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  );
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, requests, connections: () => connections };
}

/** Serves the files of a directory. */
export function serveDirectory(directory: string): Promise<TestServer> {
  return serve((request, response) => {
    const path = new URL(request.url!, 'http://host').pathname;
    readFile(join(directory, path)).then(
      (bytes) => response.writeHead(200, { 'content-length': bytes.length }).end(bytes),
      () => response.writeHead(404).end('no such file'),
    );
  });
}
