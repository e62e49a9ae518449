/** What a path of the hub names. */
export type Resource =
  | { readonly kind: 'health' }
  | { readonly kind: 'manifest-list' }
  | { readonly kind: 'manifest'; readonly name: string }
  | { readonly kind: 'block'; readonly id: string };

/** A manifest's file name: no separator and no leading dot, so it can name nothing outside its directory. */
export const manifestName = /^[A-Za-z0-9_][A-Za-z0-9_.+~-]{0,200}\.fl$/;

/**
 * The resource that a request target names: `/health`, `/manifests/`, `/manifests/NAME.fl`, `/blocks/HH/ID` and
 * `/blocks/ID`; undefined for everything else. Only what these forms allow ever becomes part of a file name.
 */
export function parseRequestPath(target: string): Resource | undefined {
  const path = decode(/^(?:https?:\/\/[^/?#]*)?(\/[^?#]*)/i.exec(target)?.[1]);
  if (path === undefined) return undefined;
  if (path === '/health') return { kind: 'health' };
  if (path === '/manifests' || path === '/manifests/') return { kind: 'manifest-list' };
  const name = /^\/manifests\/([^/]+)$/.exec(path)?.[1];
  if (name !== undefined && manifestName.test(name)) return { kind: 'manifest', name };
  const [, shard, id] = /^\/blocks\/(?:([0-9a-f]{2})\/)?([0-9a-f]{64})$/.exec(path) ?? [];
  if (id !== undefined && (shard === undefined || id.startsWith(shard))) return { kind: 'block', id };
  return undefined;
}

function decode(path: string | undefined): string | undefined {
  try {
    return path === undefined ? undefined : decodeURIComponent(path);
  } catch {
    return undefined; // a % that is no escape
  }
}
