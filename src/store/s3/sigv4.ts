import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { sha256 } from '../../base/digest.ts';

/** What somebody proves himself with to AWS and to what speaks its protocol. */
export interface AwsCredentials {
  readonly accessKey: string;
  readonly secretKey: string;
  /** Goes with keys that are valid for a few hours. */
  readonly sessionToken?: string;
}

/** What a key is valid for. */
export interface SigningScope {
  readonly region: string;
  /** `s3`. */
  readonly service: string;
}

/** A request as it goes over the wire. */
export interface RequestToSign {
  readonly method: string;
  /** Path and query with RFC 3986 escapes; they are signed as they are, the query in its canonical order. */
  readonly url: URL;
  /** By lower-case name; all of them are signed, and `host` and `x-amz-date` too. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body in hex. */
  readonly payloadHash: string;
}

/** SHA-256 of a body of no bytes. */
export const emptyPayloadHash = sha256('');

/**
 * The headers that sign a request with AWS Signature Version 4 ("Signing AWS API requests" and "Authenticating Requests
 * (AWS Signature Version 4)" in Amazon's documentation): `x-amz-date` and `authorization`.
 * @param signingKey what `signingKeyOf` gives for the day of `now`, in UTC
 */
export function signatureHeaders(
  request: RequestToSign,
  accessKey: string,
  signingKey: KeyObject,
  { region, service }: SigningScope,
  now: Date,
): Record<string, string> {
  const time = timestamp(now);
  const headers = Object.entries({ ...request.headers, host: request.url.host, 'x-amz-date': time }).sort(
    ([a], [b]) => (a < b ? -1 : 1),
  );
  const names = headers.map(([name]) => name).join(';');
  const canonical = [
    request.method,
    request.url.pathname,
    canonicalQuery(request.url.search),
    ...headers.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, ' ')}`),
    '',
    names,
    request.payloadHash,
  ].join('\n');
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`;
  const toSign = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`;
  const signature = hmac(signingKey, toSign).toString('hex');
  return {
    'x-amz-date': time,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

/** The key that signs the requests of one day (in UTC), of one region and service. */
export function signingKeyOf(secretKey: string, { region, service }: SigningScope, day: Date): KeyObject {
  const parts = [timestamp(day).slice(0, 8), region, service, 'aws4_request'];
  // As bytes it would be made a key again for each signature, which takes longer than all the rest.
  return createSecretKey(
    parts.reduce<Buffer>((key, part) => hmac(key, part), Buffer.from(`AWS4${secretKey}`)),
  );
}

/** Escapes everything but what RFC 3986 calls unreserved. */
export function uriEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** `20150830T123600Z`. */
function timestamp(time: Date): string {
  return time.toISOString().replace(/\.\d+|[-:]/g, '');
}

function canonicalQuery(search: string): string {
  const pairs = [...new URLSearchParams(search.replaceAll('+', '%2B'))].map((pair) => pair.map(uriEncode));
  return pairs
    .sort(([a, c], [b, d]) => (a! < b! || (a === b && c! < d!) ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function hmac(key: Uint8Array | KeyObject, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
