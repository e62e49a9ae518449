import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { matchesTag, parseRange } from './range.ts';
import type { RegularFile } from './regular-file.ts';

export interface FileHeaders {
  /** The strong entity tag: the digest of the content, without quotes. */
  readonly tag: string;
  readonly contentType: string;
  readonly cacheControl: string;
}

/**
 * Answers a GET or HEAD with a file, or the part of it that was asked for: 200, 206, 304 or 416 (RFC 9110). Closes the file.
 * @throws what reading throws, and when the client goes away
 */
export async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  file: RegularFile,
  headers: FileHeaders,
): Promise<void> {
  try {
    await send(request, response, file, headers);
  } finally {
    await file.handle.close();
  }
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { handle, size }: RegularFile,
  headers: FileHeaders,
): Promise<void> {
  const tag = `"${headers.tag}"`;
  response.setHeader('ETag', tag);
  response.setHeader('Cache-Control', headers.cacheControl);
  response.setHeader('Accept-Ranges', 'bytes');
  if (matchesTag(request.headers['if-none-match'], tag)) return void response.writeHead(304).end();

  const range = parseRange(askedRange(request, tag), size);
  if (range === 'unsatisfiable') {
    return void response.writeHead(416, { 'Content-Range': `bytes */${size}`, 'Content-Length': 0 }).end();
  }
  const part = range === 'whole' ? { start: 0, end: size - 1 } : range;
  const length = part.end - part.start + 1;
  response.writeHead(range === 'whole' ? 200 : 206, {
    'Content-Type': headers.contentType,
    'Content-Length': length,
    ...(range !== 'whole' && { 'Content-Range': `bytes ${part.start}-${part.end}/${size}` }),
  });
  if (request.method === 'HEAD' || length === 0) return void response.end();
  const content = handle.createReadStream({ ...part, autoClose: false, highWaterMark: 1 << 18 });
  await pipeline(content, response, { end: false });
  if (content.bytesRead === length) response.end();
  else response.destroy(); // the file became shorter: no client may take this for the whole
}

/** A range counts only for GET, and after If-Range only for the file that the client has a part of. */
function askedRange(request: IncomingMessage, tag: string): string | undefined {
  const { range, 'if-range': ifRange } = request.headers;
  if (request.method !== 'GET' || (ifRange !== undefined && ifRange !== tag)) return undefined;
  return range;
}
