import { Failure } from '../base/errors.ts';

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
export function parseStoreUrl(url: string): URL {
  if (!URL.canParse(url))
    throw new Failure('usage', 'a store address is not a URL', {
      hint: 'write [xx-yy=]URL, for example dir:///srv/blocks or 00-7f=https://host/blocks',
    });
  return new URL(url);
}

/** Whether the route covers a block. */
export function covers(route: Route, id: string): boolean {
  const first = Number.parseInt(id.slice(0, 2), 16);
  return first >= route.start && first <= route.end;
}

/**
 * The address as a manifest keeps it (flist format, section 1.6): `dir` reduced to its path, `http` normalised, and the password taken
 * out unless `keepPassword`; the user name stays.
 */
export function routeUrl(url: string, { keepPassword = false } = {}): string {
  const parsed = parseStoreUrl(url);
  if (parsed.protocol === 'dir:') return `dir://${parsed.pathname}`;
  const isHttp = parsed.protocol === 'http:' || parsed.protocol === 'https:';
  if (keepPassword || parsed.password === '') return isHttp ? parsed.href : url;
  parsed.password = '';
  return parsed.href;
}

/** The address as errors and logs show it: without password and without query, which may hold a token. */
export function redactedAddress(url: string): string {
  if (!URL.canParse(url)) return 'a store with an unreadable address';
  const parsed = new URL(url);
  parsed.password = '';
  parsed.search = '';
  parsed.hash = '';
  return parsed.href;
}
