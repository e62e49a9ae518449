import { onTestFinished } from 'vitest';
import { parseStoreUrl } from '../route.ts';
import { type S3Options, S3Store } from './s3.ts';
import { type S3Stub, type S3StubOptions, startS3Stub } from './s3-stub.fixture.ts';

/** A stub that ends with the running test. */
export async function serveS3(options: S3StubOptions = {}): Promise<S3Stub> {
  const stub = await startS3Stub(options);
  onTestFinished(() => stub.close());
  return stub;
}

/**
 * A stub of a bucket `blocks`, and a store on it with the right keys and no other environment.
 * @param where prefix and parameters after the bucket
 */
export async function openS3(
  options: S3StubOptions = {},
  where = '',
  storeOptions: S3Options = {},
): Promise<{ store: S3Store; stub: S3Stub }> {
  const stub = await serveS3(options);
  return { store: s3At(stub, `AK:SK@`, where, storeOptions), stub };
}

/** A store on the bucket of a stub, with an environment that says nothing. */
export function s3At({ port }: S3Stub, user = '', where = '', options: S3Options = {}): S3Store {
  return new S3Store(parseStoreUrl(`s3://${user}127.0.0.1:${port}/blocks${where}`), {
    environment: { HOME: '/nonexistent' },
    ...options,
  });
}
