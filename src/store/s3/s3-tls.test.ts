import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../base/exec.ts';
import { parseStoreUrl } from '../route.ts';
import { testDirectory } from '../test-directory.ts';
import { S3Store } from './s3.ts';
import { serveS3 } from './test-s3.ts';

const id = `ab${'0'.repeat(62)}`;
const blob = Buffer.from('blob');

/** A certificate authority of our own, and a server that has its certificate for a name. */
async function serveSecurely(name: string) {
  const directory = await testDirectory();
  const [ca, key, request, certificate] = ['ca.pem', 'key.pem', 'request.pem', 'certificate.pem'].map(
    (file) => join(directory, file),
  ) as [string, string, string, string];
  const openssl = (...args: string[]) => run('openssl', args, { package: 'openssl' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const caKey = join(directory, 'ca-key.pem');
  await openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    caKey,
    '-out',
    ca,
    '-subj',
    '/CN=Test CA',
    '-days',
    '2',
  );
  await openssl('req', ...newKey, '-keyout', key, '-out', request, '-subj', '/CN=server');
  const extensions = join(directory, 'extensions');
  await writeFile(extensions, `subjectAltName=${name}`);
  const signed = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-days', '2', '-extfile', extensions];
  await openssl('x509', '-req', '-in', request, '-out', certificate, ...signed);
  const tls = { cert: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') };
  return { stub: await serveS3({ tls }), ca, key };
}

const storeAt = (port: number, query: string, environment: Record<string, string> = {}) =>
  new S3Store(parseStoreUrl(`s3s://AK:SK@127.0.0.1:${port}/blocks${query}`), {
    environment: { HOME: '/nonexistent', ...environment },
  });

test('a server is trusted by the certificates that the address or the environment names, and by no others', async () => {
  const { stub, ca, key } = await serveSecurely('IP:127.0.0.1');
  const { port } = stub;
  await storeAt(port, `?ca=${ca}`).put(id, blob);
  expect(await storeAt(port, '', { AWS_CA_BUNDLE: ca }).get(id)).toEqual(blob);

  const untrusted = await storeAt(port, '')
    .get(id)
    .catch((error) => error);
  expect(untrusted).toMatchObject({ kind: 'config', hint: expect.stringContaining('?ca=') });
  for (const file of [key, '/nonexistent'])
    await expect(storeAt(port, `?ca=${file}`).get(id)).rejects.toMatchObject({ kind: 'config' });
});

test('a certificate for another name is refused', async () => {
  const { stub, ca } = await serveSecurely('DNS:other.test');
  const failure = storeAt(stub.port, `?ca=${ca}`).get(id);
  await expect(failure).rejects.toMatchObject({
    kind: 'config',
    message: expect.stringContaining('not trusted'),
  });
});

test('a server that does not speak TLS is unavailable', async () => {
  const { port } = await serveS3();
  await expect(storeAt(port, '').get(id)).rejects.toMatchObject({ kind: 'unavailable' });
});
