import { homedir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../../base/errors.ts';
import { readTextIfPresent } from '../../base/files.ts';
import type { S3Address } from './s3-address.ts';
import type { AwsCredentials } from './sigv4.ts';

/** With what, and for which region, requests to a store are signed. */
export interface S3Identity {
  readonly region: string;
  /** In the order in which they are tried; none for requests without signature. */
  readonly credentials: readonly AwsCredentials[];
  /** Where the credentials come from, for messages. */
  readonly source: string;
}

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

const defaultRegion = 'us-east-1';

/**
 * Who a store is asked as: the keys of its address; else the profile that the address names; else AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; else the profile AWS_PROFILE, or `default`, of AWS's files; else nobody. The
 * region is that of the address, AWS_REGION, AWS_DEFAULT_REGION, that of the profile that has the keys, or `us-east-1`.
 * @throws Failure `config` for half a pair of keys and for a profile that was named and has no keys.
 */
export async function resolveIdentity(
  address: S3Address,
  environment: Environment = process.env,
): Promise<S3Identity> {
  const given = address.sign ? (addressKeys(address) ?? environmentKeys(address, environment)) : nobody;
  const profile = given === undefined ? await readProfile(address, environment) : undefined;
  const region =
    address.region ||
    environment['AWS_REGION'] ||
    environment['AWS_DEFAULT_REGION'] ||
    profile?.settings.get('region');
  return { region: region || defaultRegion, ...(given ?? (profile ? profileKeys(profile) : nobody)) };
}

type Keys = Pick<S3Identity, 'credentials' | 'source'>;

const nobody: Keys = { credentials: [], source: 'no credentials' };

function addressKeys({ accessKey, secretKeys }: S3Address): Keys | undefined {
  if (accessKey === undefined || secretKeys.length === 0) return undefined;
  const credentials = secretKeys.map((secretKey) => ({ accessKey, secretKey }));
  return { credentials, source: 'the keys of the address' };
}

function environmentKeys({ profile }: S3Address, environment: Environment): Keys | undefined {
  if (profile !== undefined) return undefined;
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = environment;
  return pairOf(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, 'the environment');
}

function pairOf(
  accessKey: string | undefined,
  secretKey: string | undefined,
  sessionToken: string | undefined,
  source: string,
): Keys | undefined {
  if (!accessKey && !secretKey) return undefined;
  if (!accessKey || !secretKey)
    throw new Failure(
      'config',
      `${source} has ${accessKey ? 'an access key' : 'a secret key'} without the other`,
      {
        hint: 'give both, or ?sign=no in the address of the store for a public bucket',
      },
    );
  return { credentials: [{ accessKey, secretKey, ...(sessionToken && { sessionToken }) }], source };
}

interface Profile {
  readonly name: string;
  /** Whether somebody asked for it by name. */
  readonly isNamed: boolean;
  readonly settings: ReadonlyMap<string, string>;
}

function profileKeys({ name, isNamed, settings }: Profile): Keys {
  const keys = pairOf(
    settings.get('aws_access_key_id'),
    settings.get('aws_secret_access_key'),
    settings.get('aws_session_token'),
    `the AWS profile ${name}`,
  );
  if (keys !== undefined || !isNamed) return keys ?? nobody;
  throw new Failure('config', `the AWS profile ${name} has no keys`, {
    hint: 'roles and single sign-on are not known here: put the keys that they give into AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN',
  });
}

/** The named profile, or `default` where there is one. */
async function readProfile(address: S3Address, environment: Environment): Promise<Profile | undefined> {
  const named = address.profile ?? (environment['AWS_PROFILE'] || undefined);
  const name = named ?? 'default';
  const directory = join(environment['HOME'] || homedir(), '.aws');
  const files = [
    { path: environment['AWS_CONFIG_FILE'] || join(directory, 'config'), sections: [`profile ${name}`] },
    { path: environment['AWS_SHARED_CREDENTIALS_FILE'] || join(directory, 'credentials'), sections: [name] },
  ];
  if (name === 'default') files[0]!.sections.push(name);
  const settings = new Map<string, string>();
  let found = false;
  for (const { path, sections } of files)
    for (const [section, key, value] of iniLines((await readTextIfPresent(path)) ?? ''))
      if (sections.includes(section)) {
        found = true;
        settings.set(key, value);
      }
  if (found) return { name, isNamed: named !== undefined, settings };
  if (named === undefined) return undefined;
  throw new Failure(
    'config',
    `there is no AWS profile ${name} in ${files.map(({ path }) => path).join(' or ')}`,
    {
      hint: 'look at its name, or give the keys in the environment',
    },
  );
}

/** Section, name and value of every setting of AWS's files; nested settings, which are indented, are left out. */
function* iniLines(text: string): Iterable<[section: string, name: string, value: string]> {
  let section = '';
  for (const line of text.split(/\r?\n/)) {
    const header = /^\[\s*(.+?)\s*\]/.exec(line);
    const setting = /^([^\s#;=[][^=]*?)\s*=\s*(.*?)\s*$/.exec(line);
    if (header) section = header[1]!.replace(/\s+/g, ' ').replaceAll(/["']/g, '');
    else if (setting) yield [section, setting[1]!.toLowerCase(), setting[2]!];
  }
}
