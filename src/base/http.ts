import type { ClientRequest, Agent as HttpAgent, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions as HttpsOptions, request as httpsRequest } from 'node:https';
import { errnoOf, Failure } from './errors.ts';

// Not imported: that would look at all that it exports, and its WebSocket loads the whole of `fetch` for 20 ms.
const http = process.getBuiltinModule('node:http');

/** What a server answered; its body is to be read to the end, or discarded. */
export interface HttpAnswer {
  readonly status: number;
  /** Whether the status says success. */
  readonly ok: boolean;
  /** By lower-case name. */
  readonly headers: IncomingHttpHeaders;
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets go of a body that nobody wants. */
  discard(): void;
}

export interface HttpOptions {
  readonly method?: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** By lower-case name. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Ends the request and the reading of its body. */
  readonly signal?: AbortSignal;
  /** Whose connections are used; without one there is no limit to them. */
  readonly pool?: HttpPool;
  /** Whether a redirect is followed, as is usual, or handed out as the answer. */
  readonly redirects?: 'follow' | 'hand-out';
}

/** Connections that are kept for the next request; idle ones do not keep the process alive. */
export class HttpPool {
  readonly #http: HttpAgent;
  readonly #httpsOptions: HttpsOptions;
  #https: HttpsAgent | undefined;

  /**
   * @param options.connections at most so many to one server; further requests wait for a free one
   * @param options.ca certificates in PEM that are trusted in place of the built-in ones
   */
  constructor({ connections = Number.POSITIVE_INFINITY, ca }: { connections?: number; ca?: string } = {}) {
    const kept = { keepAlive: true, maxSockets: connections };
    this.#http = new http.Agent(kept);
    this.#httpsOptions = { ...kept, ...(ca !== undefined && { ca }) };
  }

  /** What node:http keeps the connections in. */
  agentOf(url: URL): HttpAgent {
    if (url.protocol !== 'https:') return this.#http;
    this.#https ??= new HttpsAgent(this.#httpsOptions);
    return this.#https;
  }
}

const mostRedirects = 5;
const sharedPool = new HttpPool();

/**
 * Asks an HTTP server. Not `fetch`: that refuses some ports, and its start costs an emulated node two seconds. User and
 * password of the address become basic authentication, unless the headers have another. Redirects of GET and HEAD are
 * followed, to another server without either.
 * @throws Failure `unavailable` for too many redirects, and the system's errors for a server that cannot be reached
 */
export async function httpSend(url: URL, options: HttpOptions = {}): Promise<HttpAnswer> {
  const { method = 'GET', redirects = 'follow' } = options;
  const follows = redirects === 'follow' && (method === 'GET' || method === 'HEAD');
  let at = url;
  let headers = options.headers;
  for (let followed = 0; followed <= mostRedirects; followed++) {
    const response = await send(at, { ...options, ...(headers && { headers }) });
    const { location } = response.headers;
    if (!follows || !isRedirect(response) || location === undefined) return answerOf(response);
    response.resume();
    const next = new URL(location, at);
    if (next.origin === at.origin) [next.username, next.password] = [at.username, at.password];
    else headers = withoutAuthorization(headers);
    at = next;
  }
  throw new Failure('unavailable', `the server redirects more than ${mostRedirects} times`);
}

const isRedirect = ({ statusCode = 0 }: IncomingMessage) => statusCode >= 300 && statusCode < 400;

function answerOf(response: IncomingMessage): HttpAnswer {
  const { statusCode: status = 0, headers } = response;
  const ok = status >= 200 && status < 300;
  return { status, ok, headers, body: response, discard: () => response.resume() };
}

function withoutAuthorization(headers: HttpOptions['headers'] = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization'));
}

async function send(url: URL, options: HttpOptions): Promise<IncomingMessage> {
  for (;;) {
    const attempt = sendOnce(url, options);
    try {
      return await attempt.response;
    } catch (error) {
      // A server may close a kept connection at the moment when it is used again.
      const closed = attempt.reusedConnection() && ['ECONNRESET', 'EPIPE'].includes(errnoOf(error) ?? '');
      if (!closed || options.method === 'POST' || options.signal?.aborted) throw error;
    }
  }
}

function sendOnce(url: URL, { method = 'GET', headers, body, signal, pool }: HttpOptions) {
  const address = withoutUser(url);
  const request = (url.protocol === 'https:' ? httpsRequest : http.request)(address, {
    method,
    agent: (pool ?? sharedPool).agentOf(url),
    headers: { ...basicAuthorization(url), ...headers },
  });
  if (signal) endWith(signal, request);
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.on('response', resolve).on('error', reject).end(body);
  });
  return { response, reusedConnection: () => request.reusedSocket };
}

/** Not the option `signal` of Node.js, which takes longer than the rest of a request. */
function endWith(signal: AbortSignal, request: ClientRequest): void {
  let response: IncomingMessage | undefined;
  const end = () => (response ?? request).destroy(signal.reason);
  request.once('response', (begun: IncomingMessage) => {
    response = begun;
  });
  request.once('close', () => signal.removeEventListener('abort', end));
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
}

/** Node would decode user and password, and throw at a lone `%`. */
function withoutUser(url: URL): URL {
  if (url.username === '' && url.password === '') return url;
  const address = new URL(url);
  address.username = address.password = '';
  return address;
}

function basicAuthorization({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const credentials = [username, password].map(percentDecoded).join(':');
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

/** The text behind percent-escapes; a lone `%`, which is no escape, stands for itself. */
export function percentDecoded(text: string): string {
  return text.replace(/(%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString(),
  );
}
