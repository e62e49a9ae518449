import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errnoOf, Failure } from '../base/errors.ts';

/** Where a server listens; port 0 is any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * An address as people write it: `HOST:PORT`, `[IPV6]:PORT`, or `:PORT` and `PORT` for loopback.
 * @throws Failure `usage`
 */
export function parseListen(text: string): ListenAddress {
  const [, host, port] = /^(?:(\[[0-9a-fA-F:.]+\]|[^:[\]\s]*):)?(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65_535) {
    throw new Failure('usage', `'${text}' is no address to listen on`, {
      hint: 'write HOST:PORT, such as 127.0.0.1:8080',
    });
  }
  return { host: host?.replace(/^\[|\]$/g, '') || '127.0.0.1', port: Number(port) };
}

/** The HTTP address of a server, without a slash at the end. */
export function urlOf({ host, port }: ListenAddress): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * Starts to listen and returns the address with its real port.
 * @throws Failure `conflict` when the port is taken, `denied` when it is not ours to take, `unavailable` for another reason
 */
export async function listen(server: Server, { host, port }: ListenAddress): Promise<ListenAddress> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (cause) {
    throw listenFailure(cause, urlOf({ host, port }));
  }
  return { host, port: (server.address() as AddressInfo).port };
}

function listenFailure(cause: unknown, url: string): Failure {
  const message = `cannot listen on ${url}`;
  switch (errnoOf(cause)) {
    case 'EADDRINUSE':
      return new Failure('conflict', message, {
        cause,
        hint: 'another program listens there; choose another port',
      });
    case 'EACCES':
      return new Failure('denied', message, { cause, hint: 'ports below 1024 are for root' });
    default:
      return new Failure('unavailable', message, { cause });
  }
}

/** Takes no more connections, gives the requests under way `grace` milliseconds to end, then ends every connection. */
export async function close(server: Server, grace: number): Promise<void> {
  const closed = once(server, 'close');
  server.close(); // ends idle connections, too
  const timer = setTimeout(() => server.closeAllConnections(), grace);
  await closed;
  clearTimeout(timer);
}
