import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseStoreUrl } from '../route.ts';
import { testDirectory } from '../test-directory.ts';
import { parseS3Address } from './s3-address.ts';
import { type Environment, resolveIdentity } from './s3-credentials.ts';

const fromEnvironment = { AWS_ACCESS_KEY_ID: 'EK', AWS_SECRET_ACCESS_KEY: 'ES' };

const credentialsFile = `
[default]
aws_access_key_id = DK
aws_secret_access_key=DS

# a comment
[ team ]
AWS_ACCESS_KEY_ID = TK
aws_secret_access_key = T/S=+
aws_session_token = TT
[half]
aws_access_key_id = HK
`;

const configFile = `
[default]
region = default-region
s3 =
  region = nested
[profile team]
region = team-region
[profile role]
role_arn = arn:aws:iam::1:role/x
`;

async function files(): Promise<Environment> {
  const directory = await testDirectory();
  await writeFile(join(directory, 'credentials'), credentialsFile);
  await writeFile(join(directory, 'config'), configFile);
  return {
    HOME: '/nonexistent',
    AWS_SHARED_CREDENTIALS_FILE: join(directory, 'credentials'),
    AWS_CONFIG_FILE: join(directory, 'config'),
  };
}

const identify = (url: string, environment: Environment) =>
  resolveIdentity(parseS3Address(parseStoreUrl(url)), environment);

const noFiles = { HOME: '/nonexistent' };

test.each<[string, string, Environment, accessKey: string | undefined, region: string]>([
  ['those of the address', 's3://AK:SK@h/blocks', fromEnvironment, 'AK', 'us-east-1'],
  ['the region of the address', 's3://h/blocks?region=r', { ...fromEnvironment, AWS_REGION: 'x' }, 'EK', 'r'],
  [
    'those of the environment',
    's3://h/blocks',
    { ...fromEnvironment, AWS_PROFILE: 'team' },
    'EK',
    'us-east-1',
  ],
  [
    'those of the environment, not half of the address',
    's3://AK@h/blocks',
    fromEnvironment,
    'EK',
    'us-east-1',
  ],
  ['the default profile', 's3://h/blocks', {}, 'DK', 'default-region'],
  ['the profile of the environment', 's3://h/blocks', { AWS_PROFILE: 'team' }, 'TK', 'team-region'],
  ['the profile of the address', 's3://h/blocks?profile=team', fromEnvironment, 'TK', 'team-region'],
  ['the region of the environment', 's3://h/blocks', { AWS_DEFAULT_REGION: 'e' }, 'DK', 'e'],
  [
    'none when the address says so',
    's3://h/blocks?sign=no',
    { AWS_PROFILE: 'absent' },
    undefined,
    'us-east-1',
  ],
])('credentials are %s', async (_, url, environment, accessKey, region) => {
  const identity = await identify(url, { ...(await files()), ...environment });
  expect(identity.credentials[0]?.accessKey).toBe(accessKey);
  expect(identity.region).toBe(region);
});

test('credentials are none where nobody gives any', async () => {
  expect(await identify('s3://h/blocks', noFiles)).toMatchObject({ credentials: [], region: 'us-east-1' });
});

test('a profile has its secret key as it is written, and a session token', async () => {
  const { credentials } = await identify('s3://h/blocks?profile=team', await files());
  expect(credentials).toEqual([{ accessKey: 'TK', secretKey: 'T/S=+', sessionToken: 'TT' }]);
});

test.each<[string, string, Environment]>([
  ['a profile that is not there', 's3://h/blocks?profile=absent', {}],
  ['a profile without keys', 's3://h/blocks?profile=role', {}],
  ['half a pair of keys in a profile', 's3://h/blocks', { AWS_PROFILE: 'half' }],
  ['half a pair of keys in the environment', 's3://h/blocks', { AWS_SECRET_ACCESS_KEY: 'ES' }],
])('%s is a mistake in the configuration', async (_, url, environment) => {
  const identity = identify(url, { ...(await files()), ...environment });
  await expect(identity).rejects.toMatchObject({ kind: 'config', hint: expect.anything() });
});
