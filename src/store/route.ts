import { Failure } from '../base/errors.ts';
import { rawS3Login, splitAddress } from './parameters.ts';

/** Which store holds the blocks whose id starts with a byte from `start` to `end`, both included. */
export interface Route {
  readonly start: number;
  readonly end: number;
  readonly url: string;
}

/**
 * Reads a store specification `[xx-yy=]url`, where xx and yy are two hex digits of either case (flist format, section 3.1).
 * @throws Failure `usage`.
 */
export function parseRoute(spec: string): Route {
  const [, first, last, url] = /^(?:([0-9a-f]{2})-([0-9a-f]{2})=)?(.*)$/is.exec(spec)!;
  const start = first === undefined ? 0x00 : Number.parseInt(first, 16);
  const end = last === undefined ? 0xff : Number.parseInt(last, 16);
  if (start > end)
    throw new Failure('usage', `the range ${first}-${last} of a store is empty`, {
      hint: `write the smaller bound first: ${last}-${first}=…`,
    });
  parseStoreUrl(url!);
  return { start, end, url: url! };
}

/** @throws Failure `usage` for what is not a URL. The text is not repeated: it may hold a password. */
export function parseStoreUrl(text: string): URL {
  const url = urlOf(text);
  if (url !== undefined) return url;
  throw new Failure('usage', 'a store address is not a URL', {
    hint: 'write [xx-yy=]URL, for example dir:///srv/blocks or 00-7f=https://host/blocks',
  });
}

/** Whether the route covers a block. */
export function covers(route: Omit<Route, 'url'>, id: string): boolean {
  const first = Number.parseInt(id.slice(0, 2), 16);
  return first >= route.start && first <= route.end;
}

/** Parameters that a reader of a manifest needs; any other may hold a secret, or means something on one machine only. */
const keptParameters: Readonly<Record<string, readonly string[]>> = {
  's3:': ['region', 'style', 'sign'],
  's3s:': ['region', 'style', 'sign'],
};

export interface RouteUrlOptions {
  /** Leave everything in the address, as rfs does with `--no-strip-password`. */
  readonly keepPassword?: boolean;
  /** Leave the user name, which is the access key of S3, but not the password. */
  readonly keepAccessKey?: boolean;
}

/**
 * The address as a manifest keeps it (flist format, section 1.6): `dir` reduced to its path, `http` normalised. Password, user
 * name and the parameters that no reader needs are taken out, unless the options say otherwise; rfs leaves the user name. What
 * only says how this command uses the store is never kept.
 */
export function routeUrl(
  address: string,
  { keepPassword = false, keepAccessKey = false }: RouteUrlOptions = {},
): string {
  const { url } = splitAddress(address);
  const parsed = parseStoreUrl(url);
  if (parsed.protocol === 'dir:') return `dir://${parsed.pathname}`;
  const whole = /^https?:$/.test(parsed.protocol) ? parsed.href : url;
  if (keepPassword) return whole;
  const stripped = new URL(parsed);
  stripped.password = '';
  if (!keepAccessKey) stripped.username = '';
  stripped.hash = '';
  for (const name of new Set(parsed.searchParams.keys()))
    if (!keptParameters[parsed.protocol]?.includes(name)) stripped.searchParams.delete(name);
  return stripped.href === parsed.href ? whole : stripped.href;
}

/** The address as errors and logs show it: without user, password and query, any of which may be a secret. */
export function redactedAddress(url: string): string {
  const parsed = urlOf(url);
  if (parsed === undefined) return 'a store with an unreadable address';
  parsed.username = '';
  parsed.password = '';
  parsed.search = '';
  parsed.hash = '';
  return parsed.href;
}

/** The URL of a text, with what a URL would have escaped in a secret. */
function urlOf(text: string): URL | undefined {
  const [login = ''] = rawS3Login.exec(text) ?? [];
  const user = login.indexOf(':', 's3s://'.length);
  const secret = login.slice(user).replace(/[/?#]/g, encodeURIComponent);
  return URL.parse(login.slice(0, user) + secret + text.slice(login.length)) ?? undefined;
}
