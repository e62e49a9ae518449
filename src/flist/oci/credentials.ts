import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { Failure } from '../../base/errors.ts';
import { readTextIfPresent } from '../../base/files.ts';
import { registryName } from './reference.ts';

/** What proves to a registry who asks. */
export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** For a token at the registry's token server (OAuth 2 refresh token). */
  | { readonly kind: 'identity'; readonly token: string }
  /** For the registry itself. */
  | { readonly kind: 'registry'; readonly token: string };

/** What is known about a registry. */
export interface RegistryLogin {
  readonly credentials?: Credentials;
  /** The credential helper that has them and that is not run here. */
  readonly helper?: string;
}

/** Credentials as Docker's API has them, and the flags of `rfs docker`. */
export interface GivenCredentials {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** `user:password` in base64. */
  readonly auth?: string | undefined;
  /** The registry that they are for. */
  readonly serverAddress?: string | undefined;
  readonly identityToken?: string | undefined;
  readonly registryToken?: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The variables that stand for flags: what they hold is not in the list of processes. */
export const credentialVariables: Readonly<Record<keyof GivenCredentials, string>> = {
  username: 'RFS_REGISTRY_USERNAME',
  password: 'RFS_REGISTRY_PASSWORD',
  auth: 'RFS_REGISTRY_AUTH',
  serverAddress: 'RFS_REGISTRY_ADDRESS',
  identityToken: 'RFS_REGISTRY_IDENTITY_TOKEN',
  registryToken: 'RFS_REGISTRY_TOKEN',
};

/**
 * The credentials for a registry: those that are given, else those of the environment, else those of Docker's
 * `config.json` (in `DOCKER_CONFIG`, else `~/.docker`).
 * @throws Failure `usage` for given ones that are incomplete or for another registry, `config` for a damaged file
 */
export async function loginFor(
  registry: string,
  given: GivenCredentials,
  environment: Environment = process.env,
): Promise<RegistryLogin> {
  const fromEnvironment = Object.fromEntries(
    Object.entries(credentialVariables).map(([name, variable]) => [name, environment[variable] || undefined]),
  );
  for (const source of [given, fromEnvironment]) {
    const credentials = completed(source);
    if (credentials === undefined) continue;
    checkAddress(registry, source.serverAddress);
    return { credentials };
  }
  const directory = environment['DOCKER_CONFIG'] || join(homedir(), '.docker');
  return readDockerConfig(registry, join(directory, 'config.json'));
}

/** The strongest of what is given. */
function completed(given: GivenCredentials): Credentials | undefined {
  const { username, password, auth, identityToken, registryToken } = given;
  if (registryToken !== undefined) return { kind: 'registry', token: registryToken };
  if (identityToken !== undefined) return { kind: 'identity', token: identityToken };
  if (auth !== undefined) {
    const decoded = decodeAuth(auth);
    if (decoded) return decoded;
    throw new Failure('usage', 'the given auth is not user:password in base64', {
      hint: 'give --username and --password',
    });
  }
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || password === undefined)
    throw new Failure('usage', `there is a ${username === undefined ? 'password' : 'user name'} alone`, {
      hint: `give both, the password best in ${credentialVariables.password}`,
    });
  return { kind: 'password', username, password };
}

function checkAddress(registry: string, address: string | undefined): void {
  if (address === undefined || hostOf(address) === registry) return;
  throw new Failure('usage', `the credentials are for ${hostOf(address)}, but the image is at ${registry}`, {
    hint: 'name the image with its registry, or give the credentials of that one',
  });
}

/** The registry that an address or a key of `auths` means: `https://index.docker.io/v1/`, `host:5000`. */
function hostOf(address: string): string {
  return registryName(address.replace(/^https?:\/\//i, '').replace(/\/.*$/s, ''));
}

/** `user:password` in base64; the user `<token>` marks an identity token. */
function decodeAuth(auth: string): Credentials | undefined {
  const text = Buffer.from(auth, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon <= 0) return undefined;
  const [username, password] = [text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, '')];
  return username === '<token>'
    ? { kind: 'identity', token: password }
    : { kind: 'password', username, password };
}

const text = z.string().optional();
const dockerConfig = z.object({
  auths: z
    .record(
      z.string(),
      z.object({ auth: text, username: text, password: text, identitytoken: text, registrytoken: text }),
    )
    .nullish(),
  credsStore: text,
  credHelpers: z.record(z.string(), z.string()).nullish(),
});

async function readDockerConfig(registry: string, path: string): Promise<RegistryLogin> {
  const content = await readTextIfPresent(path);
  if (content === undefined) return {};
  let config: z.infer<typeof dockerConfig>;
  try {
    config = dockerConfig.parse(JSON.parse(content));
  } catch {
    throw new Failure('config', `${path} is no configuration of Docker`, {
      hint: 'repair it, or name another directory in DOCKER_CONFIG',
    }); // without the cause, which may show what is in it
  }
  const isFor = ([key]: readonly [string, unknown]) =>
    /^(https?:\/\/)?[^/]*(\/v[12]\/?|\/)?$/.test(key) && hostOf(key) === registry;
  const entry = Object.entries(config.auths ?? {}).find(isFor)?.[1];
  const credentials = entry && fromEntry(entry);
  if (credentials) return { credentials };
  const helper = Object.entries(config.credHelpers ?? {}).find(isFor)?.[1] ?? config.credsStore;
  return helper ? { helper } : {};
}

function fromEntry(
  entry: NonNullable<z.infer<typeof dockerConfig>['auths']>[string],
): Credentials | undefined {
  const { auth, username, password, identitytoken, registrytoken } = entry;
  if (registrytoken) return { kind: 'registry', token: registrytoken };
  if (identitytoken) return { kind: 'identity', token: identitytoken };
  if (auth) return decodeAuth(auth);
  return username && password ? { kind: 'password', username, password } : undefined;
}
