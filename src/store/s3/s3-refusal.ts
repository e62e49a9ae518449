import { Failure, type FailureKind } from '../../base/errors.ts';
import type { HttpAnswer } from '../../base/http.ts';
import { readAtMost } from '../block-body.ts';
import type { S3Identity } from './s3-credentials.ts';
import { childText, parseXml, type XmlElement } from './xml.ts';

/** Why a server did not do what it was asked for. */
export interface Refusal {
  readonly status: number;
  /** The server's word for it, `NoSuchKey`; empty where it gave none, as in every answer to a HEAD. */
  readonly code: string;
  readonly message: string;
  /** The region that the bucket is in, where that is what was wrong. */
  readonly region?: string;
  /** The server's clock, in milliseconds since the epoch. */
  readonly time?: number;
}

/** What is known of a request when it is refused. */
export interface Asked {
  readonly address: string;
  readonly bucket: string;
  /** What the store was to do: `give block …`. */
  readonly task: string;
  readonly identity: S3Identity;
  readonly now: number;
}

const longestRefusal = 64 << 10;

/** Reads an answer that is not a success. */
export async function readRefusal({ status, headers, body }: HttpAnswer): Promise<Refusal> {
  const bytes = await readAtMost(body, longestRefusal);
  const error = errorElement(Buffer.from(bytes ?? '').toString());
  const text = (name: string) => (error && childText(error, name)) ?? '';
  const region = text('Region') || headers['x-amz-bucket-region']?.toString();
  const time = Date.parse(headers.date ?? '');
  return {
    status,
    code: printable(text('Code')),
    message: printable(text('Message')),
    ...(region && { region: printable(region) }),
    ...(!Number.isNaN(time) && { time }),
  };
}

/** Something between us and the store may answer with another kind of page. */
function errorElement(text: string): XmlElement | undefined {
  try {
    const root = parseXml(text);
    return root.name === 'Error' ? root : undefined;
  } catch {
    return undefined;
  }
}

const printable = (text: string) => text.replace(/\p{C}+/gu, ' ').slice(0, 300);

const refusedCredentials = [
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'InvalidToken',
  'ExpiredToken',
  'InvalidSecurity',
  'AccountProblem',
  'NotSignedUp',
  'UserSuspended',
];

/** Whether the server says that it has no such object. */
export const saysMissing = ({ status, code }: Refusal) =>
  code === 'NoSuchKey' || (status === 404 && code === '');

/** Whether the server does not let us know: it says the same of an object that is not there when its bucket may not be listed. */
export const mayBeMissing = ({ code }: Refusal) => code === 'AccessDenied';

/** The failure that a refusal is. */
export function refusalFailure(refusal: Refusal, asked: Asked): Failure {
  const { kind, hint } = judge(refusal, asked);
  const { status, code, message } = refusal;
  const said = [code, message].filter((text) => text !== '').join(': ');
  return new Failure(kind, `${asked.address} did not ${asked.task}: it answered ${status}`, {
    ...(said !== '' && { cause: new Error(said) }),
    ...(hint !== undefined && { hint }),
  });
}

interface Judgement {
  readonly kind: FailureKind;
  readonly hint?: string;
}

function judge(refusal: Refusal, { bucket, identity, now }: Asked): Judgement {
  const { status, code, region, time } = refusal;
  const { source, credentials } = identity;
  if (code === 'NoSuchBucket')
    return {
      kind: 'config',
      hint: `make the bucket ${bucket}, or correct its name; blocks go into a bucket that exists`,
    };
  if (code === 'RequestTimeTooSkewed') return { kind: 'denied', hint: clockHint(time, now) };
  if (status === 301 || code === 'AuthorizationHeaderMalformed' || code === 'PermanentRedirect')
    return {
      kind: 'config',
      hint: region
        ? `the bucket is in the region ${region}: add ?region=${region} to the address of the store`
        : `requests were signed for the region ${identity.region}: name that of the bucket with ?region= in the address`,
    };
  if (refusedCredentials.includes(code))
    return {
      kind: 'denied',
      hint: `the server does not accept ${source}: correct them, or add ?sign=no to the address if the bucket is public`,
    };
  if (status === 429 || status >= 500 || code === 'RequestTimeout' || code === 'SlowDown')
    return { kind: 'unavailable', hint: 'the server is busy or in trouble: try again later' };
  if (code === 'BadDigest' || code === 'XAmzContentSHA256Mismatch' || code === 'IncompleteBody')
    return { kind: 'unavailable', hint: 'the block was damaged on its way: try again' };
  if (status === 401 || status === 403)
    return {
      kind: 'denied',
      hint:
        credentials.length === 0
          ? 'the request was not signed: give keys in the address or the environment, or make the bucket public'
          : `check what ${source} may do in the bucket ${bucket}`,
    };
  return { kind: 'failed' };
}

function clockHint(time: number | undefined, now: number): string {
  const skew = time === undefined ? 0 : Math.round((now - time) / 1000);
  const how =
    skew === 0 ? '' : ` (${Math.abs(skew)} seconds ${skew > 0 ? 'ahead of' : 'behind'} the server's)`;
  return `set the clock of this machine${how}: signatures are valid for some minutes only`;
}
