import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { errnoOf, Failure } from './errors.ts';

/** What a server answered; its body is to be read to the end, or discarded. */
export interface HttpAnswer {
  readonly status: number;
  /** Whether the status says success. */
  readonly ok: boolean;
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of a body that nobody wants. */
  discard(): void;
}

export interface HttpOptions {
  readonly method?: 'GET' | 'HEAD';
  /** Ends the request and the reading of its body. */
  readonly signal?: AbortSignal;
}

const mostRedirects = 5;
/** Connections are kept for the next request; idle ones do not keep the process alive. */
const agents = { 'http:': new HttpAgent({ keepAlive: true }), 'https:': new HttpsAgent({ keepAlive: true }) };

/**
 * Asks an HTTP server. Not `fetch`: that refuses some ports, and its start costs an emulated node two seconds. User and
 * password of the address become basic authentication; redirects are followed, without them to another server.
 * @throws Failure `unavailable` for too many redirects, and the system's errors for a server that cannot be reached
 */
export async function httpGet(url: URL, options: HttpOptions = {}): Promise<HttpAnswer> {
  let at = url;
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const response = await send(at, options);
    const { statusCode: status = 0, headers } = response;
    if (status < 300 || status >= 400 || headers.location === undefined)
      return { status, ok: status >= 200 && status < 300, body: response, discard: () => response.resume() };
    response.resume();
    const next = new URL(headers.location, at);
    if (next.host === at.host) [next.username, next.password] = [at.username, at.password];
    at = next;
  }
  throw new Failure('unavailable', `the server redirects more than ${mostRedirects} times`);
}

async function send(url: URL, options: HttpOptions): Promise<IncomingMessage> {
  for (;;) {
    const attempt = sendOnce(url, options);
    try {
      return await attempt.response;
    } catch (error) {
      // A server may close a kept connection at the moment when it is used again.
      if (!attempt.reusedConnection() || errnoOf(error) !== 'ECONNRESET') throw error;
    }
  }
}

function sendOnce(url: URL, { method = 'GET', signal }: HttpOptions) {
  const isHttps = url.protocol === 'https:';
  const address = new URL(url);
  address.username = address.password = ''; // node would decode them, and throw at a lone `%`
  const request = (isHttps ? httpsRequest : httpRequest)(address, {
    method,
    agent: agents[isHttps ? 'https:' : 'http:'],
    headers: authorization(url),
    ...(signal && { signal }),
  });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.on('response', resolve).on('error', reject).end();
  });
  return { response, reusedConnection: () => request.reusedSocket };
}

function authorization({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const credentials = [username, password].map(percentDecoded).join(':');
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

/** A lone `%`, which is no escape, stands for itself. */
function percentDecoded(text: string): string {
  return text.replace(/(%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString(),
  );
}
