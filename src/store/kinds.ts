import { Failure } from '../base/errors.ts';
import { DirStore } from './dir/dir.ts';
import { unknownParameter } from './parameters.ts';
import { redactedAddress } from './route.ts';
import type { Store } from './store.ts';

/** A kind of store, known by the scheme of its URLs. */
export interface StoreKind {
  /** How its URLs are written. */
  readonly form: string;
  /** Whether a network lies between; such a store gets a deadline, further attempts and limits (open.ts). */
  readonly remote: boolean;
  /** Makes the store and contacts nobody. The URL has no parameters but those of this kind. */
  readonly open: (url: URL) => Store | Promise<Store>;
}

/** Every kind of store by its scheme. All but `dir` are loaded when they are opened; a booted node has `dir` and `http`. */
export const storeKinds: Readonly<Record<string, StoreKind>> = {
  'dir:': { form: 'dir:///PATH', remote: false, open: (url) => new DirStore(directoryOf(url)) },
  'http:': { form: 'http://HOST/PATH', remote: true, open: openHttp },
  'https:': { form: 'https://HOST/PATH', remote: true, open: openHttp },
  's3:': { form: 's3://HOST[:PORT]/BUCKET', remote: true, open: openS3 },
  's3s:': { form: 's3s://HOST[:PORT]/BUCKET', remote: true, open: openS3 },
  'zdb:': {
    form: 'zdb://HOST[:PORT]/NAMESPACE',
    remote: true,
    open: async (url) => new (await import('./zdb/zdb.ts')).ZdbStore(url),
  },
};

async function openHttp(url: URL): Promise<Store> {
  const { HttpStore } = await import('./http.ts');
  return new HttpStore(url);
}

async function openS3(url: URL): Promise<Store> {
  const { S3Store } = await import('./s3/s3.ts');
  return new S3Store(url);
}

/** @throws Failure `config` for a scheme that no kind of store has. */
export function kindOf(url: URL): StoreKind {
  const kind = storeKinds[url.protocol];
  if (kind !== undefined) return kind;
  const forms = Object.values(storeKinds).map(({ form }) => form);
  throw new Failure('config', `stores of the kind ${url.protocol}// are not supported`, {
    hint: `supported are ${forms.join(', ')}`,
  });
}

/** @throws Failure `config` where the program was built without this kind. */
export async function openKind(kind: StoreKind, url: URL): Promise<Store> {
  try {
    return await kind.open(url);
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new Failure('config', `stores of the kind ${url.protocol}// are not part of this program`, {
      cause,
      hint: 'a booted node reads blocks from http:// and https:// only',
    });
  }
}

/** As in rfs the path is taken as the URL has it, so that `%20` stays `%20` (flist format, section 3.2). */
function directoryOf(url: URL): string {
  if (url.host !== '' || !url.pathname.startsWith('/'))
    throw new Failure(
      'usage',
      `${redactedAddress(url.href)} does not name a directory by its absolute path`,
      { hint: 'write dir:///PATH, with three slashes' },
    );
  const [parameter] = url.searchParams.keys();
  if (parameter !== undefined) throw unknownParameter(redactedAddress(url.href), parameter);
  return url.pathname;
}
