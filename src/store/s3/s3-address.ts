import { Failure } from '../../base/errors.ts';
import { percentDecoded } from '../../base/http.ts';
import { unknownParameter } from '../parameters.ts';
import { redactedAddress } from '../route.ts';
import { uriEncode } from './sigv4.ts';

/** What the URL of an S3 store says. */
export interface S3Address {
  /** The server: `http://host[:port]`. */
  readonly endpoint: URL;
  readonly bucket: string;
  /** What every key begins with: empty, or names with a `/` after each. */
  readonly prefix: string;
  /** Whether the bucket is the first name of the path, or of the host. */
  readonly style: 'path' | 'virtual';
  readonly region?: string;
  /** Whether requests are signed, where there are credentials. */
  readonly sign: boolean;
  readonly accessKey?: string;
  /** The secret key; with a second reading where the first decoded escapes that may be part of the key. */
  readonly secretKeys: readonly string[];
  /** The profile of AWS's files to take credentials from. */
  readonly profile?: string;
  /** The file of certificates that are trusted in place of the built-in ones. */
  readonly ca?: string;
}

const form = 's3://[ACCESS-KEY:SECRET-KEY@]HOST[:PORT]/BUCKET[/PREFIX]';
const parameters = ['region', 'style', 'sign', 'profile', 'ca'];

/**
 * Reads `s3[s]://[ACCESS:SECRET@]host[:port]/bucket[/prefix][?region=&style=path|virtual&sign=yes|no&profile=&ca=]`; `s3` is
 * HTTP and `s3s` HTTPS (flist format, section 3.3, and what rfs does not have: prefix, and all parameters but the region).
 * @throws Failure `usage`.
 */
export function parseS3Address(url: URL): S3Address {
  const wrong = (what: string, hint = `write ${form}`) =>
    new Failure('usage', `${redactedAddress(url.href)}: ${what}`, { hint });
  const endpoint = URL.parse(`${url.protocol === 's3s:' ? 'https' : 'http'}://${url.host}`);
  if (url.host === '' || endpoint === null) throw wrong('there is no server in the address');
  const [bucket = '', ...prefix] = url.pathname.slice(1).split('/').map(percentDecoded);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/.test(bucket))
    // Not repeated: with a secret that has a `/` in it the address may have been cut at the wrong place.
    throw new Failure('usage', 'an S3 address does not name a bucket after its server', {
      hint: `write ${form}, in the secret key %2F for / and %40 for @`,
    });
  const unknown = [...url.searchParams.keys()].find((name) => !parameters.includes(name));
  if (unknown !== undefined) throw unknownParameter(redactedAddress(url.href), unknown, parameters);
  const parameter = <T extends string>(name: string, values?: readonly T[]): T | undefined => {
    const value = url.searchParams.get(name) ?? undefined;
    if (value === undefined || values === undefined || values.includes(value as T)) return value as T;
    throw wrong(`${name}=${value} means nothing`, `write ${name}=${values.join(` or ${name}=`)}`);
  };
  const style = parameter('style', ['path', 'virtual']) ?? 'path';
  if (style === 'virtual' && !URL.canParse(`http://${bucket}.${endpoint.host}`))
    throw wrong(`the bucket ${bucket} cannot be the first name of its host`, 'write style=path');
  const [region, profile, ca] = [parameter('region'), parameter('profile'), parameter('ca')];
  return {
    endpoint,
    bucket,
    prefix: prefix
      .filter((name) => name !== '')
      .map((name) => `${name}/`)
      .join(''),
    style,
    sign: parameter('sign', ['yes', 'no']) !== 'no',
    ...(region && { region }),
    ...(profile && { profile }),
    ...(ca && { ca }),
    ...(url.username !== '' && { accessKey: percentDecoded(url.username) }),
    secretKeys: url.password === '' ? [] : [...new Set([percentDecoded(url.password), url.password])],
  };
}

/** The URL of an object of the bucket, or with an empty key of the bucket itself. */
export function objectUrl({ endpoint, bucket, style }: S3Address, key: string): URL {
  const path = key.split('/').map(uriEncode).join('/');
  if (style === 'virtual') return new URL(`${endpoint.protocol}//${bucket}.${endpoint.host}/${path}`);
  return new URL(`${endpoint.origin}/${uriEncode(bucket)}${path === '' ? '' : `/${path}`}`);
}
