import { kindOf } from './kinds.ts';
import { parseRoute, parseStoreUrl, type Route } from './route.ts';
import { Router } from './router.ts';
import type { Store } from './store.ts';

/**
 * Opens the store of a specification `[xx-yy=]url`. Nothing is contacted or made before the first block.
 * @throws Failure `usage` for a malformed specification, `config` for a kind of store that is not supported.
 */
export async function openStore(spec: string): Promise<Store> {
  return openRoutes([parseRoute(spec)]);
}

/** Opens all routes of a manifest or a command line as one store. */
export async function openRoutes(routes: readonly Route[]): Promise<Store> {
  const routed = await Promise.all(routes.map(async (route) => ({ route, store: await openUrl(route.url) })));
  const [only] = routed;
  const isWhole = only?.route.start === 0x00 && only.route.end === 0xff;
  return routed.length === 1 && isWhole ? only.store : new Router(routed);
}

async function openUrl(text: string): Promise<Store> {
  const url = parseStoreUrl(text);
  return kindOf(url).open(url);
}
