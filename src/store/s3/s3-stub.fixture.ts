import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the stub does to a request in place of, or before, answering it well. */
export type StubFault =
  | { readonly code: string; readonly status: number }
  | 'truncate'
  | 'hang'
  | 'hang-in-body'
  | 'reset'
  | 'garbage'
  | 'endless';

export interface S3StubOptions {
  readonly bucket?: string;
  /** Secret keys by access key. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** The session token that has to come along. */
  readonly sessionToken?: string;
  readonly region?: string;
  /** What those may do who do not sign. */
  readonly anonymous?: 'nothing' | 'read' | 'everything';
  /** Without the right to list, nobody learns that a key is not there: 403 in place of 404, as Amazon does. */
  readonly mayList?: boolean;
  /** Milliseconds added to every answer. */
  readonly latency?: number;
  /** Keys of a page at most. */
  readonly pageLimit?: number;
  /** Makes a request fail. */
  readonly fault?: (request: {
    readonly method: string;
    readonly key: string;
    readonly nth: number;
  }) => StubFault | undefined;
  /** Certificate and key for HTTPS. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly now?: () => Date;
}

export interface S3Stub {
  readonly port: number;
  /** Objects by key. */
  readonly objects: Map<string, Buffer>;
  /** When objects were put, by key; the start of the stub for those that are not there. */
  readonly modified: Map<string, Date>;
  /** `METHOD /path?query` of every request so far. */
  readonly requests: string[];
  readonly connections: () => number;
  close(): Promise<void>;
}

/**
 * A server of one S3 bucket in this process, for what a real one cannot be made to do: late, refused, broken and hostile
 * answers. It checks Signature Version 4 with code of its own, written from Amazon's documentation.
 */
export async function startS3Stub(options: S3StubOptions = {}): Promise<S3Stub> {
  const objects = new Map<string, Buffer>();
  const modified = new Map<string, Date>();
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const listener: RequestListener = (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    serve({ request, response, objects, modified, options, nth: requests.length - 1 }).catch(() =>
      response.destroy(),
    );
  };
  const server = options.tls ? createSecureServer(options.tls, listener) : createServer(listener);
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return { port, objects, modified, requests, connections: () => connections, close };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly objects: Map<string, Buffer>;
  readonly modified: Map<string, Date>;
  readonly options: S3StubOptions;
  readonly nth: number;
}

class Refuse extends Error {
  readonly status: number;
  readonly code: string;
  readonly extra: string;
  constructor(status: number, code: string, extra = '') {
    super(code);
    [this.status, this.code, this.extra] = [status, code, extra];
  }
}

async function serve(exchange: Exchange): Promise<void> {
  const { request, response, options, nth } = exchange;
  const body = await bodyOf(request);
  await sleep(options.latency ?? 0);
  const method = request.method!;
  const { bucket, key, query } = target(request, options);
  const fault = options.fault?.({ method, key, nth });
  try {
    if (typeof fault === 'object') throw new Refuse(fault.status, fault.code);
    if (fault !== undefined) return disturb(response, fault);
    authorize(request, body, options);
    if (bucket !== (options.bucket ?? 'blocks')) throw new Refuse(404, 'NoSuchBucket');
    answer(exchange, key, query, body);
  } catch (error) {
    if (!(error instanceof Refuse)) throw error;
    const text = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${error.code}</Code><Message>The stub says so.</Message>${error.extra}<Resource>/${escapeXml(key)}</Resource></Error>`;
    response.writeHead(error.status, { 'content-type': 'application/xml' });
    response.end(method === 'HEAD' ? undefined : text);
  }
}

function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve(Buffer.concat(chunks))).on('error', reject);
  });
}

function target({ url, headers }: IncomingMessage, { bucket = 'blocks' }: S3StubOptions) {
  const [path = '', search = ''] = url!.split('?');
  const isVirtual = headers.host!.startsWith(`${bucket}.`);
  const names = path.slice(1).split('/').map(decodeURIComponent);
  return {
    bucket: isVirtual ? bucket : names[0]!,
    key: (isVirtual ? names : names.slice(1)).join('/'),
    query: new Map(
      search
        .split('&')
        .filter((pair) => pair !== '')
        .map((pair) => pair.split('=').map(decodeURIComponent) as [string, string]),
    ),
  };
}

function disturb(response: ServerResponse, fault: Exclude<StubFault, object>): void {
  switch (fault) {
    case 'hang':
      return;
    case 'reset':
      return void response.destroy();
    case 'garbage':
      return void response.writeHead(200).end('<html>a portal</html>');
    case 'hang-in-body':
      return void response.writeHead(200, { 'content-length': 100 }).write('half');
    case 'truncate':
      return void response.writeHead(200, { 'content-length': 100 }).write('half', () => response.destroy());
    case 'endless': {
      const chunk = Buffer.alloc(1 << 20, '<');
      const more = () => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', more);
      more();
    }
  }
}

function answer(
  { request, response, objects, modified, options }: Exchange,
  key: string,
  query: Map<string, string>,
  body: Buffer,
): void {
  const { method } = request;
  const isSigned = request.headers.authorization !== undefined;
  const anonymous = options.anonymous ?? 'nothing';
  const reads = method === 'GET' || method === 'HEAD';
  if (!isSigned && anonymous !== 'everything' && !(reads && anonymous === 'read'))
    throw new Refuse(403, 'AccessDenied');
  if (method === 'GET' && key === '') {
    if (options.mayList === false) throw new Refuse(403, 'AccessDenied');
    return void response.writeHead(200).end(listing(objects, query, options));
  }
  if (method === 'PUT') {
    modified.set(key, new Date());
    const source = request.headers['x-amz-copy-source'];
    if (typeof source === 'string') return void copyOntoItself(response, objects, { source, key, options });
    objects.set(key, body);
    return void response.writeHead(200).end();
  }
  if (method === 'DELETE') {
    objects.delete(key);
    return void response.writeHead(204).end();
  }
  const object = objects.get(key);
  if (object === undefined)
    throw options.mayList === false ? new Refuse(403, 'AccessDenied') : new Refuse(404, 'NoSuchKey');
  const part = request.headers.range === 'bytes=0-0' ? object.subarray(0, 1) : object;
  response.writeHead(part === object ? 200 : 206, {
    'content-length': part.length,
    'last-modified': (modified.get(key) ?? started).toUTCString(),
  });
  response.end(method === 'HEAD' ? undefined : part);
}

const started = new Date();

/** CopyObject, as far as it is used: a new time for an object. */
function copyOntoItself(
  response: ServerResponse,
  objects: Map<string, Buffer>,
  { source, key, options }: { source: string; key: string; options: S3StubOptions },
): void {
  if (decodeURIComponent(source) !== `/${options.bucket ?? 'blocks'}/${key}`)
    throw new Refuse(404, 'NoSuchKey');
  if (!objects.has(key)) throw new Refuse(404, 'NoSuchKey');
  response.writeHead(200).end('<CopyObjectResult><ETag>"-"</ETag></CopyObjectResult>');
}

/** ListObjectsV2: its token is the last key of the page before. */
function listing(
  objects: Map<string, Buffer>,
  query: Map<string, string>,
  { pageLimit = 1000 }: S3StubOptions,
): string {
  const prefix = query.get('prefix') ?? '';
  const after = Buffer.from(query.get('continuation-token') ?? '', 'base64').toString();
  const limit = Math.min(Number(query.get('max-keys') ?? pageLimit), pageLimit);
  const delimiter = query.get('delimiter');
  const escaped = query.get('encoding-type') === 'url' ? encodeURIComponent : escapeXml;
  const rolledUp = (key: string) => {
    const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    return end < 0 ? key : key.slice(0, end + 1);
  };
  const all = [...new Set([...objects.keys()].filter((key) => key.startsWith(prefix)).map(rolledUp))].sort();
  const rest = all.filter((key) => key > after);
  const page = rest.slice(0, limit);
  const items = page.map((key) =>
    objects.has(key)
      ? `<Contents><Key>${escaped(key)}</Key><Size>${objects.get(key)!.length}</Size></Contents>`
      : `<CommonPrefixes><Prefix>${escaped(key)}</Prefix></CommonPrefixes>`,
  );
  const token = Buffer.from(page.at(-1) ?? '').toString('base64');
  const next = rest.length > limit ? `<NextContinuationToken>${token}</NextContinuationToken>` : '';
  return `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Prefix>${escaped(prefix)}</Prefix>${
    query.has('encoding-type') ? '<EncodingType>url</EncodingType>' : ''
  }<IsTruncated>${next !== ''}</IsTruncated>${next}${items.join('')}</ListBucketResult>`;
}

const escapeXml = (text: string) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
const digest = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex');
const mac = (key: Uint8Array | KeyObject | string, text: string) =>
  createHmac('sha256', key).update(text).digest();

const keys = new Map<string, KeyObject>();

/** Kept, because benchmarks want the stub to be faster than what they measure. */
function keyOfDay(secret: string, day: string, region: string): KeyObject {
  const name = [secret, day, region].join('\n');
  const known = keys.get(name);
  if (known !== undefined) return known;
  const key = mac(mac(mac(mac(`AWS4${secret}`, day), region), 's3'), 'aws4_request');
  keys.set(name, createSecretKey(key));
  return keys.get(name)!;
}

/** Checks the signature of a request, if it has one. */
function authorize(request: IncomingMessage, body: Buffer, options: S3StubOptions): void {
  const { headers } = request;
  if (headers.authorization === undefined) return;
  const form =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;
  const parts = form.exec(headers.authorization);
  if (parts === null) throw new Refuse(400, 'AuthorizationHeaderMalformed');
  const [, accessKey, day, region, signedNames, signature] = parts as unknown as string[];
  const secret = (options.secrets ?? { AK: 'SK' })[accessKey!];
  if (secret === undefined) throw new Refuse(403, 'InvalidAccessKeyId');
  const expectedRegion = options.region ?? 'us-east-1';
  if (region !== expectedRegion)
    throw new Refuse(400, 'AuthorizationHeaderMalformed', `<Region>${expectedRegion}</Region>`);

  const time = `${headers['x-amz-date']}`;
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time) ?? [];
  const seconds = Date.UTC(+y!, +mo! - 1, +d!, +h!, +mi!, +s!) / 1000;
  const now = (options.now?.() ?? new Date()).getTime() / 1000;
  if (!(Math.abs(seconds - now) <= 900) || !time.startsWith(day!))
    throw new Refuse(403, 'RequestTimeTooSkewed');

  const names = signedNames!.split(';');
  const unsigned = Object.keys(headers).filter((name) => name.startsWith('x-amz-') && !names.includes(name));
  if (!names.includes('host') || unsigned.length > 0) throw new Refuse(403, 'AccessDenied');
  const payload = `${headers['x-amz-content-sha256']}`;
  const [path, search = ''] = request.url!.split('?');
  const query = search.split('&').sort().join('&'); // every name and value of ours is escaped already
  const canonicalHeaders = names.map((name) => `${name}:${`${headers[name]}`.trim()}\n`).join('');
  const canonical = [request.method, path, query, canonicalHeaders, signedNames, payload].join('\n');
  const scope = [day, region, 's3', 'aws4_request'].join('/');
  const expected = mac(
    keyOfDay(secret, day!, region!),
    ['AWS4-HMAC-SHA256', time, scope, digest(canonical)].join('\n'),
  );
  if (!timingSafeEqual(expected, Buffer.from(signature!, 'hex')))
    throw new Refuse(403, 'SignatureDoesNotMatch');
  if (payload !== digest(body)) throw new Refuse(400, 'XAmzContentSHA256Mismatch');
  if (options.sessionToken !== undefined && headers['x-amz-security-token'] !== options.sessionToken)
    throw new Refuse(403, 'InvalidToken');
}
