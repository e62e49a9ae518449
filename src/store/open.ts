import { Failure } from '../base/errors.ts';
import { DirStore } from './dir.ts';
import { HttpStore } from './http.ts';
import { parseRoute, parseStoreUrl, type Route, redactedAddress } from './route.ts';
import { Router } from './router.ts';
import type { Store } from './store.ts';

export interface OpenOptions {
  /** Milliseconds until a request to a remote store is given up. */
  readonly timeout?: number;
}

/**
 * Opens the store of a specification `[xx-yy=]url`. Nothing is contacted or made before the first block.
 * @throws Failure `usage` for a malformed specification, `config` for a kind of store that is not supported.
 */
export async function openStore(spec: string, options?: OpenOptions): Promise<Store> {
  return openRoutes([parseRoute(spec)], options);
}

/** Opens all routes of a manifest or a command line as one store. */
export async function openRoutes(routes: readonly Route[], options?: OpenOptions): Promise<Store> {
  const routed = routes.map((route) => ({ route, store: openUrl(route.url, options) }));
  const [only] = routed;
  const isWhole = only?.route.start === 0x00 && only.route.end === 0xff;
  return routed.length === 1 && isWhole ? only.store : new Router(routed);
}

function openUrl(text: string, options: OpenOptions | undefined): Store {
  const url = parseStoreUrl(text);
  switch (url.protocol) {
    case 'dir:':
      return new DirStore(directoryOf(url));
    case 'http:':
    case 'https:':
      return new HttpStore(url, options);
    default:
      throw new Failure('config', `stores of the kind ${url.protocol}// are not supported`, {
        hint: 'supported are dir:///PATH (reading and writing), http:// and https:// (reading)',
      });
  }
}

/** As in rfs the path is taken as the URL has it, so that `%20` stays `%20` (flist format, section 3.2). */
function directoryOf(url: URL): string {
  if (url.host !== '' || !url.pathname.startsWith('/'))
    throw new Failure(
      'usage',
      `${redactedAddress(url.href)} does not name a directory by its absolute path`,
      {
        hint: 'write dir:///PATH, with three slashes',
      },
    );
  return url.pathname;
}
